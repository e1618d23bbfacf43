"""The sentence that stands by answers wherever somebody may take them for more than they are."""

CAUTION = (
    "A guess at how people would label the recording, not a measurement of what somebody feels; "
    "often wrong, and more often for people, languages and cameras unlike its training data. Do "
    "not decide about a person by it: not for hiring, marks, credit, diagnosis, policing or "
    "borders, and not as a lie detector."
)
