"""A model scored on the test part, and what scores over seeds and samples allow to say."""
