"""Transcripts: what is said in a recording, and the files that it comes in."""

from affuse.extract.text.transcript.beside import Beside, files_beside, transcript_beside
from affuse.extract.text.transcript.reading import as_transcript, read_transcript
from affuse.extract.text.transcript.said import Transcript, TranscriptOrigin, Word

__all__ = [
    "Beside",
    "Transcript",
    "TranscriptOrigin",
    "Word",
    "as_transcript",
    "files_beside",
    "read_transcript",
    "transcript_beside",
]
