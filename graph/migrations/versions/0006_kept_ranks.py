"""kept ranks: columns that ranks follow from, in place of the scores of all artifacts."""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table('kept_scores')
    text = sa.Text(collation='C') if op.get_bind().dialect.name == 'postgresql' else sa.String()
    op.create_table('kept_ranks',
    sa.Column('name', text, nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_kept_ranks'))
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup")
