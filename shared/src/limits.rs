//! Every bound of the system, with its unit last in its name. A queue, map or message whose limit is
//! not in this file has none, and that is a defect.

use std::time::Duration;

// Matches and time

/// The slowest tick rate, in ticks a second.
pub const TICK_RATE_HZ_MIN: u16 = 20;
/// The fastest tick rate, in ticks a second.
pub const TICK_RATE_HZ_MAX: u16 = 128;
/// Places in one match.
pub const PLAYERS_PER_MATCH_MAX: usize = 128;
/// Matches on one shard; one more is refused.
pub const MATCHES_PER_SHARD_MAX: usize = 4096;
/// Ticks that are behind by up to this run back to back; deadlines further back are given up.
pub const CATCH_UP_MAX: Duration = Duration::from_millis(100);

/// The part of a tick's period that a match may take for step and snapshots, on average.
pub const TICK_BUDGET_SHARE: f64 = 0.5;
/// How long a match may take more than that before it is flagged, and what its mode says is done.
pub const RUNAWAY_AFTER: Duration = Duration::from_secs(5);

/// How long a step may take before the process is ended for it.
pub const HUNG_TICK_MAX: Duration = Duration::from_secs(2);

// Inputs

/// Inputs in one client datagram: the newest and those before it.
pub const INPUTS_PER_DATAGRAM_MAX: usize = 4;
/// How far ahead of the match an input may be, in ticks; further is refused. Also the length of the
/// ring that holds them.
pub const INPUT_AHEAD_TICKS_MAX: u64 = 64;
/// How long a missing input is replaced by the last one held; after that by a neutral one.
pub const INPUT_HOLD: Duration = Duration::from_millis(100);
/// Client datagrams a session may send, as a multiple of its match's tick rate.
pub const DATAGRAMS_PER_TICK_MAX: u64 = 4;
/// How many client datagrams may come at once (a network that held them back), in seconds at the rate
/// above.
pub const DATAGRAM_BURST_SECONDS: u64 = 1;
/// For so many seconds may every datagram's newest input be refused (too far ahead), none being applied
/// in between; then the session ends: a client this wrong about the time has no use of the match.
pub const REFUSED_INPUT_SECONDS_MAX: u64 = 10;
/// A match in which nobody has a place for this long ends by itself.
pub const EMPTY_MATCH: Duration = Duration::from_secs(60);

// Replication

/// Fields of one kind of entity.
pub const FIELDS_PER_KIND_MAX: usize = 32;
/// Kinds of entities in one game.
pub const KINDS_MAX: usize = 64;
/// Entities in one match.
pub const ENTITIES_PER_MATCH_MAX: usize = 4096;
/// Entities one client holds. Each costs at least a bit in every datagram.
pub const ENTITIES_PER_VIEW_MAX: usize = 1024;
/// Snapshots kept as possible baselines, on both sides, in ticks. A client whose acknowledgement is
/// older gets everything anew.
pub const BASELINE_TICKS_MAX: u64 = 64;
/// The largest snapshot datagram, in bytes; the path usually allows less.
pub const DATAGRAM_BYTES_MAX: usize = 1500;
/// The largest datagram of a client, in bytes: four whole inputs of 128 bits and their head are 75.
pub const CLIENT_DATAGRAM_BYTES_MAX: usize = 128;
/// The smallest datagram payload a QUIC path must carry, in bytes; a path below that is refused.
pub const DATAGRAM_BYTES_MIN: usize = 1024;

// Streams

/// One framed message on the match stream, client to server, in bytes.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 4096;
/// One framed message on the match stream, server to client, in bytes. Maps travel in the welcome.
pub const SERVER_MESSAGE_BYTES_MAX: usize = 48 * 1024;
/// One framed message on a lobby stream, either way, in bytes.
pub const LOBBY_MESSAGE_BYTES_MAX: usize = 4096;
/// Events waiting for one client that does not read its stream, in bytes; above that it is sent away.
pub const EVENT_BACKLOG_BYTES_MAX: usize = 128 * 1024;
/// What whoever runs the server says to the players of a match at once, in bytes.
pub const NOTICE_BYTES_MAX: usize = 512;
/// Why somebody ended a match from outside, in bytes; it stands in the result.
pub const END_REASON_BYTES_MAX: usize = 128;
/// What an identity provider says of a player (a JSON Web Token), in bytes.
pub const IDENTITY_BYTES_MAX: usize = 3072;
/// How much a token of an identity provider may be early or late.
pub const IDENTITY_LEEWAY: Duration = Duration::from_secs(5);
/// The provider's own name for a player, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 128;
/// The file with the provider's public keys, in bytes.
pub const IDENTITY_KEYS_BYTES_MAX: usize = 256 * 1024;
/// Players who were banned or whose identity was revoked lately, as every shard knows them; the newest are kept.
pub const BARRED_MAX: usize = 65_536;
/// Why a player is banned, in bytes.
pub const BAN_REASON_BYTES_MAX: usize = 256;
/// What players of a private match tell each other, in bytes.
pub const JOIN_CODE_BYTES_MAX: usize = 16;
/// A player's name, in bytes.
pub const PLAYER_NAME_BYTES_MAX: usize = 24;
/// A mode's or game's name, in bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Codecs a client may offer.
pub const CODECS_OFFERED_MAX: usize = 8;

// Connections

/// QUIC receive window of one connection, in bytes.
pub const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// QUIC receive window of one stream, in bytes.
pub const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Bidirectional streams a client may have open.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 2;
/// Received datagrams waiting in one connection, in bytes.
pub const DATAGRAM_RECEIVE_BUFFER_BYTES: usize = 32 * 1024;
/// Datagrams waiting to be sent on one connection, in bytes: a largest one and a little, no queue of
/// stale snapshots.
pub const DATAGRAM_SEND_BUFFER_BYTES: usize = 2 * DATAGRAM_BYTES_MAX;
/// Connections of one shard, joined or not.
pub const CONNECTIONS_PER_SHARD_MAX: usize = 4096;
/// Connections of one lobby.
pub const CONNECTIONS_PER_LOBBY_MAX: usize = 4096;
/// First packets waiting for the shard to have time to look into them; with so many the oldest is looked into, one at a
/// time, and with one more it is forgotten.
pub const FIRST_PACKETS_WAITING_MAX: usize = 1024;
/// First packets looked into in one pass of a shard, of which at most one is somebody new's.
pub const FIRST_PACKETS_PER_PASS_MAX: usize = 8;
/// What it costs a shard to look into a first packet and to answer it: it does only when this much time is left before
/// a deadline.
pub const FIRST_PACKET_COST: Duration = Duration::from_micros(100);
/// A first packet that waited this long is looked into even so, one at a time, where it can only be asked to prove its
/// address; another waits as a handshake does.
pub const FIRST_PACKET_WAIT_MAX: Duration = Duration::from_millis(200);
/// First packets waiting for the shard to have time for their handshake; at the lobby, with the handshakes under way.
pub const HANDSHAKES_WAITING_MAX: usize = 1024;
/// First packets that QUIC itself holds for somebody to look at. Above what may wait, so that one too many is refused and
/// counted; beyond this QUIC drops them without a word.
pub const INCOMING_MAX: usize = 2 * HANDSHAKES_WAITING_MAX;
/// First packets waiting, and handshakes begun with addresses that have proved nothing, above which an address must
/// prove itself (QUIC Retry): whoever invents addresses fills no table beyond this.
pub const HANDSHAKES_WAITING_RETRY: usize = 256;
/// The same at the lobby, where nobody waits to come back into a match, and handshakes do not wait for ticks.
pub const LOBBY_HANDSHAKES_WAITING_RETRY: usize = 64;
/// Addresses, or players, whose rate is counted for each alone; all others share one count.
pub const RATE_KEYS_MAX: usize = 65_536;
/// How often those are forgotten who may do as much as ever again.
pub const RATES_FORGOTTEN_EVERY: Duration = Duration::from_secs(1);
/// Bytes buffered for one handshake that waits.
pub const INCOMING_BUFFER_BYTES: u64 = 16 * 1024;
/// Bytes buffered for all handshakes that wait.
pub const INCOMING_BUFFER_TOTAL_BYTES: u64 = 4 * 1024 * 1024;
/// What a handshake costs a shard: one is begun only when this much time is left before a deadline.
pub const HANDSHAKE_COST: Duration = Duration::from_micros(300);
/// A handshake whose first packet came this long ago is begun even so; one at a time.
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_millis(50);
/// One that waited this long, or a first packet, is served no more: its client sends another.
pub const HANDSHAKE_FORGOTTEN: Duration = Duration::from_millis(500);
/// From the first packet to a whole join message.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(5);
/// A connection on which nothing arrives for this long is lost.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a client that has nothing to say shows that it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// What both sides ask the kernel for, in bytes of socket buffer.
pub const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// How long a place is held for a player who lost the connection, unless the mode says otherwise.
pub const PLACE_HOLD: Duration = Duration::from_secs(30);
/// A client to whom no snapshot came for this long tries to come back over a second connection,
pub const COME_BACK_AFTER: Duration = Duration::from_millis(300);
/// or after so many snapshots did not come, whichever is later.
pub const COME_BACK_AFTER_INTERVALS: u32 = 4;
/// From the first try to come back to the second, where nobody answers; later ones are further apart,
pub const COME_BACK_PAUSE_MIN: Duration = Duration::from_millis(400);
/// up to this. What a try sends by itself in that time is never further apart than half of it.
pub const COME_BACK_PAUSE_MAX: Duration = Duration::from_millis(600);
/// A try to come back that is answered goes on for as long as something comes at least this often,
pub const COME_BACK_ANSWERED: Duration = Duration::from_millis(700);
/// and after so much silence it asks whether the server is still there.
pub const COME_BACK_PROBE: Duration = Duration::from_millis(150);
/// How long an ended match stays up for its players to fetch the result.
pub const ENDED_LINGER: Duration = Duration::from_secs(3);

// Tickets and lobby

/// How long a ticket is good for.
pub const TICKET_VALID: Duration = Duration::from_secs(60);
/// By how much the clock that a ticket was dated by may be ahead of the one it is judged by: that of a process
/// before, or of a pass of a shard that began before the lobby answered.
pub const TICKET_CLOCK_AHEAD_MAX: Duration = Duration::from_secs(5);
/// After a new key was made, a server at work signs with it before this is over.
pub const TICKET_KEY_TAKEN_UP: Duration = Duration::from_secs(10);
/// Keys before the one that signs of which is still known when they were in force.
pub const TICKET_KEYS_FORMER_MAX: usize = 7;
/// How often a player who plays gets a new token, in the match's time. A place is held for less, so that
/// whoever lost the connection still has one of the two that are good.
pub const TOKEN_PERIOD: Duration = Duration::from_secs(60);
/// How long a token is good for at the most, by the clock on the wall.
pub const TOKEN_VALID: Duration = Duration::from_secs(600);
/// Tickets a shard remembers as used, at most until they expire; above that joins are refused.
pub const USED_TICKETS_MAX: usize = 65_536;
/// Connections to the lobby that one player may have; the oldest gives way to one more.
pub const LOBBY_CONNECTIONS_PER_PLAYER_MAX: usize = 4;
/// What the lobby has to say to one connection and has not sent yet, in messages; who reads no more is sent away.
pub const LOBBY_BACKLOG_MAX: usize = 64;
/// The lobby begins no two handshakes closer than this: however many wait, ticks come in between.
pub const LOBBY_HANDSHAKE_EVERY: Duration = Duration::from_millis(1);
/// How long a lobby connection may take to read what it is told; who takes longer is sent away.
pub const LOBBY_READ_MAX: Duration = Duration::from_secs(5);
/// Requests one lobby connection may make a second, and at once.
pub const LOBBY_REQUESTS_PER_SECOND_MAX: u32 = 20;
/// A request at the lobby that cannot be judged before something is read or written waits for that at most so long, and
/// is refused then.
pub const LOBBY_HELD_MAX: Duration = Duration::from_secs(5);
/// A place promised to a player by a ticket is kept free for this long.
pub const RESERVATION: Duration = TICKET_VALID;

// Queues between threads

/// Commands waiting for one shard.
pub const SHARD_COMMANDS_MAX: usize = 4096;
/// Reports of one shard waiting for control.
pub const SHARD_REPORTS_MAX: usize = 16_384;
/// Writes waiting for the store.
pub const STORE_WRITES_MAX: usize = 16_384;
/// Newer identities of players, each shown in a match, that wait for a store which cannot judge them now. Of whoever
/// finds no room what was shown before counts, until it ends.
pub const IDENTITIES_WAITING_MAX: usize = STORE_WRITES_MAX;
/// Pieces of journals on their way to the store's thread: a second of 1,000 matches at 60 Hz.
pub const JOURNAL_ITEMS_MAX: usize = 65_536;
/// A list the admin interface answers in one piece.
pub const LIST_ROWS_MAX: usize = 1000;
/// What somebody sends the admin interface at once, in bytes.
pub const ADMIN_BODY_BYTES_MAX: usize = 4096;
/// Connections with TLS to the admin interface at once, greeted or not.
pub const ADMIN_CONNECTIONS_MAX: usize = 256;
/// From such a connection to the end of its handshake.
pub const ADMIN_HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Such a connection on which nothing comes for so long is closed.
pub const ADMIN_SILENCE_MAX: Duration = Duration::from_secs(60);
/// A file with certificates or a key, in bytes.
pub const PEM_BYTES_MAX: usize = 256 * 1024;
/// Tokens that open the admin interface at one time.
pub const TOKENS_MAX: usize = 256;
/// How long a token can be good for, in days, where it expires at all.
pub const TOKEN_DAYS_MAX: u32 = 3650;
/// Rows of the audit log; above that the oldest go.
pub const AUDIT_ROWS_MAX: usize = 1_000_000;
/// A file with a token in it, in bytes.
pub const TOKEN_FILE_BYTES_MAX: usize = 1024;
/// A match looks at what the phases of a tick cost in one of so many ticks.
pub const PHASES_EVERY_TICKS: u64 = 64;
/// The longest timeline of a match, in seconds.
pub const TIMELINE_SECONDS_MAX: u64 = 30;
/// Live views of the admin interface that are open at once.
pub const LIVE_STREAMS_MAX: usize = 64;
/// From one look of a live view to the next, at least.
pub const LIVE_EVERY_MIN: Duration = Duration::from_millis(100);
/// From one look of a live view to the next, at most.
pub const LIVE_EVERY_MAX: Duration = Duration::from_secs(60);
/// Timelines that a shard records at once.
pub const TIMELINES_PER_SHARD_MAX: usize = 4;

// Journal

/// Deaths of a match that does not get on, across restarts: at one tick, or each a tick after the one before.
/// Then it is set aside.
pub const DEATHS_IN_A_ROW_MAX: u32 = 3;
/// How often a match's whole state is written down.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// A match's whole state, encoded, in bytes: what one record of a journal carries. A larger one is never a checkpoint.
pub const CHECKPOINT_BYTES_MAX: usize = JOURNAL_PAYLOAD_BYTES_MAX;
/// Everything that enters a match in one tick, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// What enters a match between two steps, in parts, before players must come later: with these and all who lose their
/// connections after them a frame is far from full.
pub const ENTRIES_PER_TICK_MAX: usize = 256;
/// What a shard collects before it waits for the journal to take it, in bytes.
pub const JOURNAL_BATCH_BYTES_MAX: usize = 256 * 1024;
/// What a shard hands over between two looks at what else is due, in pieces: some 50 us.
pub const JOURNAL_BATCH_ITEMS_MAX: usize = 256;
/// Frames of one match that wait for the journal, in bytes; with more the match stands still. Some three
/// minutes of a match of ten.
pub const FRAMES_IN_MEMORY_BYTES_MAX: usize = 1024 * 1024;
/// Frames of a shard's matches gather for so long before they are handed over and written.
pub const JOURNAL_FLUSH: Duration = Duration::from_millis(50);
/// What a shard hands over waits so long for what others have: all of it is written together.
pub const JOURNAL_JOIN: Duration = Duration::from_millis(2);
/// A flush that found no space, or the database held, is tried again after this time.
pub const JOURNAL_RETRY: Duration = Duration::from_millis(250);
/// Journals of all matches that are not durable yet, in bytes: about six seconds of 1,000 matches.
pub const JOURNAL_PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What one record carries, in bytes: a checkpoint of a large state.
pub const JOURNAL_PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Matches that are proved side by side, in one pass over all journals.
pub const VERIFIED_TOGETHER_MAX: usize = 64;
/// What the admin interface hands out of a journal at once, in bytes; one record may reach beyond.
pub const JOURNAL_PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Why a match was set aside, in bytes of text; the rest is cut off.
pub const JOURNAL_REASON_BYTES_MAX: usize = 1024;
/// Records that one step of retention looks at: a flush waits for no more.
pub const JOURNAL_RETAIN_RECORDS_MAX: usize = 2_000;
/// From one step of retention to the next, while there is more to let go.
pub const JOURNAL_RETAIN_PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked whether journals of finished matches are to go.
pub const JOURNAL_RETAIN_EVERY: Duration = Duration::from_secs(60);
/// Damaged records that recovery names one by one for each match; the others it counts.
pub const JOURNAL_LOST_NAMED_MAX: usize = 1_000;

// Telemetry

/// Log records and spans, each, that wait to be sent; above that new ones are lost and counted.
pub const TELEMETRY_RECORDS_MAX: usize = 2048;
/// Of these, what is sent at once.
pub const TELEMETRY_BATCH_RECORDS_MAX: usize = 512;
/// A text in such a record, in bytes; the rest is cut off.
pub const TELEMETRY_TEXT_BYTES_MAX: usize = 4096;
/// What waits is sent this long after the first of it came.
pub const TELEMETRY_EVERY: Duration = Duration::from_secs(1);
/// How long a collector may take for an answer, at most and unless it is said.
pub const TELEMETRY_TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// As the specification has it.
pub const TELEMETRY_TIMEOUT: Duration = Duration::from_secs(10);
/// What a collector says, in bytes.
pub const TELEMETRY_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// From the first try to send something to the second; each later pause is twice as long,
pub const TELEMETRY_PAUSE_MIN: Duration = Duration::from_secs(1);
/// up to this, also where the collector asks for more.
pub const TELEMETRY_PAUSE_MAX: Duration = Duration::from_secs(15);
/// What was not taken for so long is given up for what came after it.
pub const TELEMETRY_TRIED_MAX: Duration = Duration::from_secs(60);
/// How often it is said that something was lost.
pub const TELEMETRY_LOSS_EVERY: Duration = Duration::from_secs(60);
/// How long a server that ends waits for what is still to be sent.
pub const TELEMETRY_FLUSH_MAX: Duration = Duration::from_secs(2);
// Matchmaking

/// Teams of one match.
pub const TEAMS_PER_MATCH_MAX: u8 = 8;
/// Players of one party.
pub const PARTY_PLAYERS_MAX: usize = 16;
/// Players who are in parties of one lobby, those who are away for the moment among them; nobody more comes into one.
pub const PARTY_MEMBERS_MAX: usize = 16_384;
/// Private matches of one player that go on at one time; one more is refused.
pub const PRIVATE_MATCHES_PER_PLAYER_MAX: usize = 8;
/// Which private match a request led to is kept for so long after that has ended.
pub const PRIVATE_MATCH_KEPT: Duration = Duration::from_secs(24 * 3600);
/// A party that waits is kept for so long while somebody of it is away; it gets no match meanwhile.
pub const QUEUE_HELD: Duration = Duration::from_secs(30);
/// How long a promise of another lobby may stay unkept before this one keeps it.
pub const PROMISE_KEPT_WITHIN: Duration = Duration::from_secs(10);
/// After a match that parties were taken for found no room, they wait on and none is begun for others for so long.
pub const NO_ROOM_PAUSE: Duration = Duration::from_secs(5);
/// The longest that a mode may let somebody wait for a match.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_secs(3600);
/// Parties that wait for a match, of all modes; one more is refused.
pub const QUEUE_TICKETS_MAX: u64 = 65_536;
/// While somebody waits, it is looked so often whether a match can be formed.
pub const MATCHMAKING_EVERY: Duration = Duration::from_millis(500);
/// What a look at those who wait for a mode takes, in steps of some tens of nanoseconds: then it stops, and goes on
/// there the next time. The match that it was trying is tried to the end.
pub const LOOK_STEPS_MAX: usize = 500_000;
/// How long it is not looked after a look that took so many; after others its share.
pub const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Steps of all searches for room in teams for the parties of one match that is tried.
pub const PACKING_STEPS_MAX: usize = 50_000;
/// All ways to split a group into teams are tried where they are no more,
pub const TEAM_SPLITS_MAX: usize = 20_000;
/// else so many swaps and moves towards a good one.
pub const TEAM_CHANGES_MAX: usize = 200_000;
/// Changes of the queue that the store hands out at once.
pub const QUEUE_CHANGES_MAX: usize = 1000;
/// Matches that were promised and not made which the store hands out at once, each with all its parties.
pub const QUEUE_PROMISES_MAX: usize = 100;
/// Parties that wait no longer and that a lobby remembers, the newest, so that no answer which comes late brings one
/// back.
pub const QUEUE_PAST_MAX: usize = 4096;
/// What became of a party that waited is kept for so long: whoever comes back asks.
pub const QUEUE_KEPT: Duration = Duration::from_secs(600);
/// Parties that one step of letting go removes: nobody's write waits for more.
pub const QUEUE_FORGOTTEN_MAX: usize = 1000;

// Files

/// A map file, in bytes.
pub const MAP_FILE_BYTES_MAX: usize = 32 * 1024;
/// A recording, unpacked, in bytes.
pub const RECORDING_BYTES_MAX: usize = 256 * 1024 * 1024;
