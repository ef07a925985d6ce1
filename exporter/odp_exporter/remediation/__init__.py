"""The remediator: what an alert leads to, decided here as values and carried out through lb/ and actuators/.

    model.py        states, events, commands: what there is
    policy.py       the numbers that people set, and what may be repaired
    step.py         folds one event into the fleet; the only one that changes it
      completions.py  what a completed command leads to
      ticking.py      deadlines, turns to look, a new start
      balancing.py    wanted against what the load balancer shows
      people.py       pauses, and their end
      turns.py        stages, and the commands that follow from them
    judge.py        from evidence to a plan or a refusal
      case.py         what of the evidence counts
      diagnosis.py    what ails it
      limits.py       how much may be done
    explain.py      the same in words
    codec.py        the same as JSON, for the journal (tagged.py)
    families.py     its metrics

All of these are pure. Nothing is done on the word of an alert: it is the reason to look, and what is
then seen decides. Safety invariants are cited as S1 to S33 (docs/remediation.md).
"""
