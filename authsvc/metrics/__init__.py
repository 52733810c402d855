"""What the process counts and times about itself.

Owns the numbers, their names and their labels; ``prometheus_client`` writes them out and is imported here alone. Must
not know who counts: it imports nothing of ours, and everything a label may say is given to it by name.
"""

from authsvc.metrics.calls import CallMetrics
from authsvc.metrics.metrics import CacheState, JanitorState, Metrics
from authsvc.metrics.tallies import OTHER

__all__ = ["OTHER", "CacheState", "CallMetrics", "JanitorState", "Metrics"]
