"""levels and merges: outcomes per level, merges and queries folded, further pages found by their search.

The folded tables are made anew from the log when the home is opened.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

FOLDED = ('fold_times', 'fold_actors', 'fold_intents', 'fold_edges', 'fold_votes')


def upgrade() -> None:
    for table in FOLDED:
        op.drop_table(table)
    op.create_table('fold_times',
    sa.Column('artifact', sa.String(), nullable=False),
    sa.Column('searches', sa.BigInteger(), nullable=False),
    sa.Column('first_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('artifact', name=op.f('pk_fold_times')),
    sqlite_with_rowid=False
    )
    op.create_table('fold_actors',
    sa.Column('artifact', sa.String(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('searches', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('artifact', 'actor', name=op.f('pk_fold_actors')),
    sqlite_with_rowid=False
    )
    op.create_table('fold_intents',
    sa.Column('intent', sa.String(), nullable=False),
    sa.Column('searches', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('intent', name=op.f('pk_fold_intents')),
    sqlite_with_rowid=False
    )
    op.create_table('fold_queries',
    sa.Column('intent', sa.String(), nullable=False),
    sa.Column('query', sa.String(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('searches', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('intent', 'query', 'actor', name=op.f('pk_fold_queries')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_fold_queries_query'), 'fold_queries', ['query'], unique=False)
    op.create_table('fold_edges',
    sa.Column('intent', sa.String(), nullable=False),
    sa.Column('uri', sa.String(), nullable=False),
    sa.Column('artifact', sa.String(), nullable=False),
    sa.Column('searches', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('intent', 'uri', 'artifact', name=op.f('pk_fold_edges')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_fold_edges_uri'), 'fold_edges', ['uri'], unique=False)
    op.create_index(op.f('ix_fold_edges_artifact'), 'fold_edges', ['artifact'], unique=False)
    op.create_table('fold_votes',
    sa.Column('search', sa.String(), nullable=False),
    sa.Column('artifact', sa.String(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('intent', sa.String(), nullable=False),
    sa.Column('uri', sa.String(), nullable=False),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('trust', sa.Float(), nullable=False),
    sa.Column('time_us', sa.BigInteger(), nullable=False),
    sa.Column('event', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('search', 'artifact', 'actor', 'level', name=op.f('pk_fold_votes')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_fold_votes_artifact'), 'fold_votes', ['artifact'], unique=False)
    op.create_index(op.f('ix_fold_votes_intent'), 'fold_votes', ['intent'], unique=False)
    op.create_table('fold_same',
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('object', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'subject', 'object', name=op.f('pk_fold_same')),
    sqlite_with_rowid=False
    )
    op.add_column('events', sa.Column('root', sa.String(), nullable=True))
    op.create_index(op.f('ix_events_root'), 'events', ['root'], unique=False)
    connection = op.get_bind()
    pages = connection.execute(sa.text("SELECT id, payload FROM events WHERE kind = 'search' AND payload IS NOT NULL"))
    further = [{"page": id_, "root": root} for id_, payload in pages if (root := json.loads(payload)["root"]) != id_]
    if further:
        connection.execute(sa.text("UPDATE events SET root = :root WHERE id = :page"), further)


def downgrade() -> None:
    raise NotImplementedError("restore a backup")
