//! The tables, version by version.
//!
//! Owns: their definition and why they are so. Must not know: who opens them.

/// Entry N makes version N + 1 of version N. Never changed once released, only added to.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE players (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        created_unix_ms INTEGER NOT NULL
    ) STRICT;

    -- `number` counts in the order of creation: the order of lists.
    CREATE TABLE matches (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        mode TEXT NOT NULL,
        game TEXT NOT NULL,
        rules_version INTEGER NOT NULL,
        map TEXT,
        shard INTEGER NOT NULL,
        tick_rate_hz INTEGER NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        ticks INTEGER,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted')),
        reason TEXT
    ) STRICT;
    CREATE INDEX matches_by_mode ON matches (mode, number);
    CREATE INDEX matches_by_state ON matches (state, number);

    -- `position` is the place in the game's own list, from 0: an account can be in it twice, because
    -- it left and came back.
    CREATE TABLE match_players (
        match TEXT NOT NULL REFERENCES matches (id),
        position INTEGER NOT NULL,
        player INTEGER NOT NULL REFERENCES players (id),
        name TEXT NOT NULL,
        team INTEGER,
        place INTEGER NOT NULL,
        score INTEGER NOT NULL,
        UNIQUE (match, position)
    ) STRICT;
    CREATE INDEX match_players_by_player ON match_players (player);

    CREATE TABLE player_stats (
        match TEXT NOT NULL REFERENCES matches (id),
        position INTEGER NOT NULL,
        player INTEGER NOT NULL REFERENCES players (id),
        nth INTEGER NOT NULL,
        name TEXT NOT NULL,
        value INTEGER NOT NULL,
        UNIQUE (match, position, nth)
    ) STRICT;
    CREATE INDEX player_stats_by_player ON player_stats (player, name);
",
    "
    -- One row for each match that ever had a journal; it stays, so that an owner who comes late is refused.
    -- `number` is the match in the tables below. `state` is open, finished, quarantined, or retired:
    -- finished, and its records deleted by age or size.
    CREATE TABLE journals (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        match TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL
            CHECK (state IN ('open', 'finished', 'quarantined', 'retired')),
        epoch INTEGER NOT NULL,
        last_tick INTEGER NOT NULL,
        first_row INTEGER NOT NULL,
        last_row INTEGER NOT NULL,
        records INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        incidents INTEGER NOT NULL,
        set_aside INTEGER NOT NULL,
        claimed_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        why TEXT
    ) STRICT;
    CREATE INDEX journals_by_state ON journals (state, number);
    -- In the order in which retention takes them.
    CREATE INDEX journals_finished ON journals (ended_unix_ms, number) WHERE state = 'finished';

    -- All matches' records in the order of their append. No index by match: it would cost a page for each
    -- match and flush. A match's records lie between its `first_row` and its `last_row`.
    CREATE TABLE journal_records (
        row INTEGER PRIMARY KEY,
        journal INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        first_tick INTEGER NOT NULL,
        last_tick INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        record BLOB NOT NULL
    ) STRICT;

    -- Where a match's checkpoints lie: recovery reads from the newest one on.
    CREATE TABLE journal_checkpoints (
        journal INTEGER NOT NULL,
        tick INTEGER NOT NULL,
        row INTEGER NOT NULL,
        PRIMARY KEY (journal, tick, row)
    ) STRICT, WITHOUT ROWID;

    -- Records behind the last good one when an epoch was claimed: evidence, never deleted.
    CREATE TABLE journal_set_aside (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        by_epoch INTEGER NOT NULL,
        row INTEGER NOT NULL,
        journal INTEGER NOT NULL,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        first_tick INTEGER NOT NULL,
        last_tick INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        record BLOB NOT NULL
    ) STRICT;

    -- A match may now be set aside for good. SQLite changes no CHECK: the table is made anew.
    CREATE TABLE matches_new (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        mode TEXT NOT NULL,
        game TEXT NOT NULL,
        rules_version INTEGER NOT NULL,
        map TEXT,
        shard INTEGER NOT NULL,
        tick_rate_hz INTEGER NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        ticks INTEGER,
        state TEXT NOT NULL
            CHECK (state IN ('running', 'finished', 'interrupted', 'quarantined')),
        reason TEXT
    ) STRICT;
    INSERT INTO matches_new SELECT * FROM matches;
    DROP TABLE matches;
    ALTER TABLE matches_new RENAME TO matches;
    CREATE INDEX matches_by_mode ON matches (mode, number);
    CREATE INDEX matches_by_state ON matches (state, number);
",
    "
    -- Tokens of the admin interface, each as a hash. One that was revoked stays, without its hash: an interface
    -- that ever had tokens is never open again. A name may be used again once its token was revoked.
    CREATE TABLE tokens (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        right TEXT NOT NULL CHECK (right IN ('read', 'operate')),
        hash BLOB CHECK (length(hash) = 32),
        made_unix_ms INTEGER NOT NULL,
        expires_unix_ms INTEGER,
        revoked_unix_ms INTEGER,
        CHECK ((hash IS NULL) = (revoked_unix_ms IS NOT NULL))
    ) STRICT;
    CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_unix_ms IS NULL;

    -- Every change that was asked for. A row is there before an order is given, with an outcome that nobody knows
    -- yet; `key` is by whom it is found again. `match` is no reference: somebody may ask for one that is not.
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key INTEGER NOT NULL UNIQUE,
        unix_ms INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        match TEXT,
        arguments TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'unknown')),
        why TEXT
    ) STRICT;
",
    "
    -- Which match a player's request for a private one led to. A row is there before the match: the same request
    -- again, of whichever process, leads to the same match.
    CREATE TABLE private_matches (
        owner INTEGER NOT NULL REFERENCES players (id),
        request INTEGER NOT NULL,
        match TEXT NOT NULL UNIQUE,
        code TEXT NOT NULL,
        PRIMARY KEY (owner, request)
    ) STRICT, WITHOUT ROWID;

    -- Accounts that an identity provider vouches for. The account's own name is the provider's for it; `name` is what
    -- was shown last, and may be anybody's.
    CREATE TABLE identities (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        player INTEGER NOT NULL UNIQUE REFERENCES players (id),
        name TEXT NOT NULL,
        PRIMARY KEY (issuer, subject)
    ) STRICT, WITHOUT ROWID;

    -- A ban is in force until its end, where it has one, or until it is lifted. Rows stay.
    CREATE TABLE bans (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        player INTEGER NOT NULL REFERENCES players (id),
        reason TEXT NOT NULL,
        made_unix_ms INTEGER NOT NULL,
        until_unix_ms INTEGER,
        lifted_unix_ms INTEGER
    ) STRICT;
    CREATE INDEX bans_by_player ON bans (player, number);
    CREATE INDEX bans_by_time ON bans (made_unix_ms);

    -- What a player showed, or was given, before this moment is no longer believed.
    CREATE TABLE revocations (
        player INTEGER PRIMARY KEY REFERENCES players (id),
        unix_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX revocations_by_time ON revocations (unix_ms);
",
    "
    -- One row: the number of the queue's last change, and how many parties wait. Numbers are never given twice,
    -- also where the party with the last one is let go of.
    CREATE TABLE queue (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        change INTEGER NOT NULL,
        waiting INTEGER NOT NULL CHECK (waiting >= 0)
    ) STRICT;
    INSERT INTO queue VALUES (1, 0, 0);

    -- Parties that wait, and for some minutes those that waited. `match` is no reference: parties are taken for
    -- a match before it is made. `change` is the last change of the row; a lobby reads on from the last it saw.
    CREATE TABLE queue_tickets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mode TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'taken', 'cancelled', 'given_up')),
        queued_unix_ms INTEGER NOT NULL,
        ended_unix_ms INTEGER,
        match TEXT,
        team INTEGER,
        lobby INTEGER,
        change INTEGER NOT NULL,
        CHECK ((state = 'waiting') = (ended_unix_ms IS NULL)),
        CHECK ((state = 'taken') = (match IS NOT NULL AND lobby IS NOT NULL))
    ) STRICT;
    CREATE UNIQUE INDEX queue_tickets_by_change ON queue_tickets (change);
    CREATE INDEX queue_tickets_by_end ON queue_tickets (ended_unix_ms) WHERE state <> 'waiting';

    -- The leader is at `position` 0. `waits` is 1 for as long as the party does: nobody waits twice.
    CREATE TABLE queue_members (
        ticket INTEGER NOT NULL REFERENCES queue_tickets (id),
        position INTEGER NOT NULL,
        player INTEGER NOT NULL REFERENCES players (id),
        waits INTEGER NOT NULL CHECK (waits IN (0, 1)),
        PRIMARY KEY (ticket, position)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX queue_members_waiting ON queue_members (player) WHERE waits = 1;
    CREATE INDEX queue_members_by_player ON queue_members (player, ticket);

    -- How good a player is on a ladder, as far as results tell; written with each result, once.
    CREATE TABLE ratings (
        player INTEGER NOT NULL REFERENCES players (id),
        ladder TEXT NOT NULL,
        mean REAL NOT NULL,
        deviation REAL NOT NULL,
        matches INTEGER NOT NULL,
        changed_unix_ms INTEGER NOT NULL,
        PRIMARY KEY (player, ladder)
    ) STRICT, WITHOUT ROWID;

    -- The ladder that a match's result counts for; none where it is not rated.
    ALTER TABLE matches ADD COLUMN ladder TEXT;
",
];
