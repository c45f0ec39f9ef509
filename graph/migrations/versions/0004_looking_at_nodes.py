"""looking at nodes: votes found by capability and by actor; scores kept; PostgreSQL sorts texts by code point.

SQLite and Python sort so too: the same order whatever the database.
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f('ix_fold_votes_artifact'), 'fold_votes')
    op.create_index(op.f('ix_fold_votes_uri'), 'fold_votes', ['uri'], unique=False)
    op.create_index(op.f('ix_fold_votes_artifact_actor'), 'fold_votes', ['artifact', 'actor'], unique=False)
    op.create_index(op.f('ix_fold_votes_actor_artifact'), 'fold_votes', ['actor', 'artifact'], unique=False)
    op.create_table('kept_scores',
    sa.Column('artifact', sa.String(), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('artifact', name=op.f('pk_kept_scores')),
    sqlite_with_rowid=False
    )
    if op.get_bind().dialect.name == 'postgresql':
        known = sa.inspect(op.get_bind())
        for table in known.get_table_names():
            for column in known.get_columns(table):
                if isinstance(column['type'], sa.String):
                    op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column["name"]}" TYPE text COLLATE "C"')


def downgrade() -> None:
    raise NotImplementedError("restore a backup")
