"""The columns of AgentCore's agents may be empty for agents of another kind, and get other names in Python only.

The names in the database stay: processes of the release before read and write them.
"""

from django.db import migrations, models

FORMER = {
    'arn': models.CharField(blank=True, db_column='arn', max_length=255, null=True, unique=True),
    'runtime_id': models.CharField(blank=True, db_column='runtime_id', db_default='', max_length=120),
    'region': models.CharField(blank=True, db_column='region', db_default='', max_length=30),
    'account_id': models.CharField(blank=True, db_column='account_id', db_default='', max_length=12),
    'log_group': models.CharField(blank=True, db_column='log_group', db_default='', max_length=512),
    'raw_metadata': models.JSONField(blank=True, db_column='raw_metadata', null=True),
    'protocol': models.CharField(blank=True, db_column='protocol', db_default='', max_length=10),
    'idle_timeout_ms': models.PositiveBigIntegerField(blank=True, db_column='idle_timeout_ms', null=True),
    'max_lifetime_ms': models.PositiveBigIntegerField(blank=True, db_column='max_lifetime_ms', null=True),
    'platform_version': models.CharField(blank=True, db_column='platform_version', db_default='', max_length=10),
    'authorizer_kind': models.CharField(blank=True, db_column='authorizer_kind', db_default='', max_length=10),
    'payload_template': models.JSONField(blank=True, db_column='payload_template', null=True),
    'read_timeout_ms': models.PositiveIntegerField(blank=True, db_column='read_timeout_ms', null=True),
    'retry_unproven': models.BooleanField(blank=True, db_column='retry_unproven', null=True),
    'last_refreshed_at': models.DateTimeField(blank=True, db_column='last_refreshed_at', null=True),
}


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0002_kind_and_owner'),
    ]

    operations = [
        *(migrations.AlterField('agent', name, field) for name, field in FORMER.items()),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RenameField('agent', name, f'former_{name}') for name in FORMER]
        ),
        migrations.AddConstraint(
            model_name='agent',
            constraint=models.CheckConstraint(condition=models.Q(('former_arn__isnull', False), ('kind', 'agentcore')) | models.Q(models.Q(('kind', 'agentcore'), _negated=True), ('former_arn__isnull', True)), name='agent_of_agentcore_has_arn'),
        ),
    ]
