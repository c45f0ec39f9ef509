"""hubs: deliveries of a capability's edges, and votes packed into columns; the folded tables are made anew."""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f('ix_fold_edges_uri'), 'fold_edges')
    op.drop_index(op.f('ix_fold_votes_artifact_actor'), 'fold_votes')
    op.create_index(
        'ix_fold_votes_artifact_actor_time_us', 'fold_votes', ['artifact', 'actor', 'time_us'], unique=False
    )
    for table, near in (('fold_intent_edges', 'intent'), ('fold_artifact_edges', 'artifact')):
        op.create_table(table,
        sa.Column('uri', _text(), nullable=False),
        sa.Column(near, _text(), nullable=False),
        sa.Column('searches', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('uri', near, name=op.f(f'pk_{table}')),
        sqlite_with_rowid=False
        )
        op.create_index(op.f(f'ix_{table}_{near}'), table, [near], unique=False)
    op.create_table('packed_votes',
    sa.Column('name', _text(), nullable=False),
    sa.Column('document', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_packed_votes'))
    )
    op.create_table('unpacked_searches',
    sa.Column('search', _text(), nullable=False),
    sa.Column('changes', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('search', name=op.f('pk_unpacked_searches')),
    sqlite_with_rowid=False
    )


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text(collation='C') if op.get_bind().dialect.name == 'postgresql' else sa.String()


def downgrade() -> None:
    raise NotImplementedError("restore a backup")
