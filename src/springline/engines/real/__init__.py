"""What engines of real workers have in common, whether these are processes or actors.

worker.py, protocol.py     a worker's rounds; how a center serves, in pieces
harm.py, faults.py         the scenario, carried out for real
boss.py, pauses.py         who leads a run, as others see them; when too few workers are alive
news.py, tally.py          what is written and told about a run
scribe.py                  evaluations and checkpoints, while everybody goes on
place.py, ask.py           where a running run is found, and how other programs speak to it
control.py                 how it answers them
wire.py, codec.py          packets, and how they are bytes
kinds.py                   dtypes as text
interrupts.py              Ctrl-C between two things that happen
words.py, heap.py          sentences, memory
"""
