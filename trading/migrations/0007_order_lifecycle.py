from django.db import migrations

from clusterx.db.append_only import AppendOnly

# As trading.lifecycle has it; a test compares the two.
MOVES = """
create function trading_order_moves(was text, becomes text) returns boolean language sql immutable as $$
select (was, becomes) in (
    ('new', 'cancelled'), ('new', 'expired'), ('new', 'rejected'), ('new', 'submitting'),
    ('submitting', 'accepted'), ('submitting', 'cancelled'), ('submitting', 'expired'), ('submitting', 'filled'), ('submitting', 'new'), ('submitting', 'partly-filled'), ('submitting', 'rejected'), ('submitting', 'unknown'),
    ('unknown', 'accepted'), ('unknown', 'cancelled'), ('unknown', 'cancelling'), ('unknown', 'expired'), ('unknown', 'filled'), ('unknown', 'partly-filled'), ('unknown', 'rejected'),
    ('accepted', 'cancelled'), ('accepted', 'cancelling'), ('accepted', 'expired'), ('accepted', 'filled'), ('accepted', 'partly-filled'), ('accepted', 'rejected'), ('accepted', 'unknown'),
    ('partly-filled', 'cancelled'), ('partly-filled', 'cancelling'), ('partly-filled', 'expired'), ('partly-filled', 'filled'), ('partly-filled', 'unknown'),
    ('cancelling', 'accepted'), ('cancelling', 'cancelled'), ('cancelling', 'expired'), ('cancelling', 'filled'), ('cancelling', 'partly-filled'), ('cancelling', 'rejected'), ('cancelling', 'unknown'),
    ('cancelled', 'filled'),
    ('expired', 'filled'),
    ('rejected', 'accepted'), ('rejected', 'cancelled'), ('rejected', 'expired'), ('rejected', 'filled'), ('rejected', 'partly-filled')
) $$
"""

GUARD = """
create function trading_order_guard() returns trigger language plpgsql as $$
begin
    if new.status <> old.status and not trading_order_moves(old.status, new.status) then
        raise exception 'an order that is % cannot become %', old.status, new.status
            using errcode = 'check_violation', constraint = 'order_lifecycle';
    end if;
    if new.filled_quantity < old.filled_quantity then
        raise exception 'what was filled stays filled' using errcode = 'check_violation', constraint = 'order_fills_stay';
    end if;
    if (new.client_order_id, new.account_id, new.instrument_id, new.side, new.quantity)
        is distinct from (old.client_order_id, old.account_id, old.instrument_id, old.side, old.quantity) then
        raise exception 'what was ordered stays as it was' using errcode = 'check_violation', constraint = 'order_is_what_it_was';
    end if;
    return new;
end $$
"""

# The paper venue knows of what was filled before it kept books of its own.
BOOKS = """
insert into trading_paperbook (account_id, cash, latency) select id, cash, interval '0' from trading_account;
insert into trading_paperholding (book_id, instrument_id, quantity, cost)
    select account_id, instrument_id, sum(quantity), sum(cost) from trading_position group by 1, 2;
insert into trading_instruction (account_id, order_id, kind, outcome, attempts, created_at, answer)
    select account_id, id, 'submit', 'waiting', 0, created_at, '' from trading_order where status = 'new'
"""


class Migration(migrations.Migration):
    """The database itself lets an order become only what it may become, and keeps cash flows as they were written."""

    dependencies = [("trading", "0006_orders_of_brokers")]

    operations = [
        migrations.RunSQL(MOVES, "drop function trading_order_moves(text, text)"),
        migrations.RunSQL(GUARD, "drop function trading_order_guard()"),
        migrations.RunSQL(
            "create trigger order_guard before update on trading_order"
            " for each row execute function trading_order_guard();"
            " alter table trading_order enable always trigger order_guard",
            "drop trigger order_guard on trading_order",
        ),
        AppendOnly("trading_cashflow"),
        migrations.RunSQL(BOOKS, migrations.RunSQL.noop),
    ]
