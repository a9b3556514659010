"""Answers to the task nucleus; course_lib/grading/answers.py says what this format is."""

# ruff: noqa: F811
import torch


# %% wrong: the token that crosses p is dropped
def nucleus(logits, temperature, top_p, minimum):
    probabilities = torch.softmax(logits / temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) <= top_p
    kept[:, :minimum] = True
    probabilities = probabilities * torch.zeros_like(kept).scatter(-1, tokens, kept)
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


# %% wrong: multiplied by the temperature
def nucleus(logits, temperature, top_p, minimum):
    probabilities = torch.softmax(logits * temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    kept[:, :minimum] = True
    probabilities = probabilities * torch.zeros_like(kept).scatter(-1, tokens, kept)
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


# %% wrong: the rest is not divided by its sum
def nucleus(logits, temperature, top_p, minimum):
    probabilities = torch.softmax(logits / temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    kept[:, :minimum] = True
    return probabilities * torch.zeros_like(kept).scatter(-1, tokens, kept)


# %% wrong: the cut is made before the temperature
def nucleus(logits, temperature, top_p, minimum):
    ordered, tokens = torch.softmax(logits, dim=-1).sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    kept[:, :minimum] = True
    kept = torch.zeros_like(kept).scatter(-1, tokens, kept)
    return torch.softmax((logits / temperature).masked_fill(~kept, -torch.inf), dim=-1)


# %% wrong: the probabilities stay sorted
def nucleus(logits, temperature, top_p, minimum):
    ordered, _ = torch.softmax(logits / temperature, dim=-1).sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    kept[:, :minimum] = True
    ordered = ordered * kept
    return ordered / ordered.sum(dim=-1, keepdim=True)


# %% wrong: the minimum is forgotten
def nucleus(logits, temperature, top_p, minimum):
    probabilities = torch.softmax(logits / temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    probabilities = probabilities * torch.zeros_like(kept).scatter(-1, tokens, kept)
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


# %% wrong: the minimum taken for a top-k
def nucleus(logits, temperature, top_p, minimum):
    probabilities = torch.softmax(logits / temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    kept = ordered.cumsum(dim=-1) - ordered < top_p
    kept[:, minimum:] = False
    probabilities = probabilities * torch.zeros_like(kept).scatter(-1, tokens, kept)
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


# %% wrong: the first row's cut for every row
def nucleus(logits, temperature, top_p, minimum):
    probabilities = torch.softmax(logits / temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True)
    count = max(minimum, int((ordered[0].cumsum(dim=-1) - ordered[0] < top_p).sum()))
    kept = torch.zeros_like(probabilities).scatter(-1, tokens[:, :count], 1.0)
    return probabilities * kept / (probabilities * kept).sum(dim=-1, keepdim=True)


# %% right: row by row, in plain Python
def nucleus(logits, temperature, top_p, minimum):
    result = torch.zeros_like(logits)
    for row, probabilities in enumerate(torch.softmax(logits / temperature, dim=-1).tolist()):
        total, kept = 0.0, []
        for token in sorted(range(len(probabilities)), key=probabilities.__getitem__, reverse=True):
            if total >= top_p and len(kept) >= minimum:
                break
            kept.append(token)
            total += probabilities[token]
        for token in kept:
            result[row, token] = probabilities[token] / total
    return result


# %% right: logits below a threshold are masked, and a warning
def nucleus(logits, temperature, top_p, minimum):
    import warnings

    warnings.simplefilter("always")
    warnings.warn("sampling from a nucleus", stacklevel=1)
    scaled = logits / temperature
    ordered = scaled.sort(dim=-1, descending=True).values
    reached = torch.softmax(ordered, dim=-1).cumsum(dim=-1)
    count = (reached < top_p).sum(dim=-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
    count = count.clamp(min=minimum - 1)
    return torch.softmax(scaled.masked_fill(scaled < ordered.gather(-1, count), -torch.inf), dim=-1)
