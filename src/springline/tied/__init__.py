"""One's own training loop, tied to a center.

tying.py                   what a script calls
line.py, ends.py           its end: counts steps, exchanges every τ of them; however the script ends
connector.py               how a script finds its run; one for each kind of center
local.py, connection.py    the center of the local engine, found by the run's folder
host.py, keeper.py         whoever keeps it: greets workers and sees them part; watches the center's process
alone.py                   the same as a process of its own, where there is no launcher
launcher.py                the processes that `springline launch` starts
elsewhere.py, ray_connection.py, meeting.py   the center of Ray tasks, found by its name on their cluster
book.py                    what is written of it
"""

from springline.tied.elsewhere import RayConnector
from springline.tied.line import Line, TieWarning
from springline.tied.tying import tie

__all__ = ["Line", "RayConnector", "TieWarning", "tie"]
