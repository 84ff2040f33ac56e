"""Clients that lie on purpose, to test what a federation withstands (docs/stress.md).

Nothing here does anything unless a run's configuration names a `stress-attack`. Which clients lie,
and what they say, follows from the seed. Lies about data are told to the training (`poisoned`),
those about its result stand in the reply (`lie`, a Flower mod), behind all checks of the client.

who.py        which clients lie
data.py       what a liar trains on: false labels, or images with a trigger
trigger.py    a backdoor's trigger: a white square, or one that the liars learn
collusion.py  what liars agree on who know what each of them would have sent in honesty
reply.py      what a liar sends
"""
