"""Why is it done this way? Experiments on real sockets and the real kernel: predicted, run, seen, measured.

``models/``       eight small servers that do the same in eight ways: files to be read
``experiments/``  one file for one question
``running.py``    starts a run in processes of its own, bounded, and ends whatever it has started
``stage.py``      what an experiment has at hand inside such a process: servers, clients, a record of what happened

One run flows one way: stage → messages → result (records → claim, records → figure). Nothing here is imported by a server.
"""
