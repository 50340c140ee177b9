"""The store's tables, step by step: a store of an older kplate is brought up to date when it is opened."""

from typing import Final

#: Marks a file as a store of events (``PRAGMA application_id``): "kplt".
APPLICATION_ID: Final = 0x6B706C74

#: What leads from each version to the next; ``PRAGMA user_version`` counts how many have been taken. Steps
#: that were once published are never changed.
MIGRATIONS: Final = (
    # 1: events, and what they are searched by.
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        time TEXT NOT NULL,
        type TEXT NOT NULL,
        source TEXT NOT NULL,
        bay TEXT,
        plate TEXT,
        plate_hash TEXT,
        body TEXT NOT NULL
    );
    CREATE INDEX events_time ON events (time);
    CREATE INDEX events_plate ON events (plate) WHERE plate IS NOT NULL;
    CREATE INDEX events_plate_hash ON events (plate_hash) WHERE plate_hash IS NOT NULL;
    """,
    # 2: what is still to be sent, and where to. A row stays when it has been delivered, as long as its event
    # does: the same event is not sent twice.
    """
    CREATE TABLE deliveries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        event TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
        state INTEGER NOT NULL DEFAULT 0,  -- 0 waiting, 1 delivered, 2 refused
        reason TEXT,
        UNIQUE (target, event)
    );
    CREATE INDEX deliveries_waiting ON deliveries (target, seq) WHERE state = 0;
    CREATE INDEX deliveries_event ON deliveries (event);
    CREATE TABLE pictures (
        event TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        key TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (event, name)
    );
    """,
)
