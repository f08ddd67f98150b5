"""Many clips: which files each one becomes, run one after the other, side by side or on several machines, and a report.

`planning` fixes every output's name before anything is lifted, `running` lifts, `cluster` hands parts of a batch to
other machines, `report` says what became of each clip.
"""
