"""One list of operations against a server or an ensemble, and every field of every answer.

    differential.py TOPIC HOST:PORT [HOST:PORT …]
"""

import faulthandler
import importlib
import sys

from transcript import Transcript

faulthandler.dump_traceback_later(40, exit=True)
importlib.import_module(f"topic_{sys.argv[1]}").run(Transcript(sys.argv[2:]))
