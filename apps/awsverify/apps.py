from __future__ import annotations

from django.apps import AppConfig


class AwsverifyConfig(AppConfig):
    name = "apps.awsverify"
    verbose_name = "AWS verification"
