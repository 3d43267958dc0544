"""Everything that Loom says to AWS: AgentCore's two planes and CloudWatch, without Django.

Only this package imports boto3, botocore and aiobotocore, so what they raise, how they retry and where they find
credentials is decided here and nowhere else.
"""

from __future__ import annotations
