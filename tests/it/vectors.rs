//! The vectors of `docs/vectors`, which were worked out by hand from the documents, against the code.

use std::collections::BTreeMap;
use std::path::Path;

use matchkeep_shared::arena::{ArenaConfig, ArenaEntity, ArenaEvent, ArenaInput, PickupKind};
use matchkeep_shared::encoding::{decode, encode};
use matchkeep_shared::ids::EntityId;
use matchkeep_shared::limits::SERVER_MESSAGE_BYTES_MAX;
use matchkeep_shared::schema::{Entity as _, Kind};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::{BitReader, BitWriter};
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_shared::wire::codec::{CodecId, View, decode_entities};
use matchkeep_shared::wire::frame::FrameReader;
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyRequest};
use matchkeep_shared::wire::message::{ClientMessage, ServerMessage};
use matchkeep_shared::wire::plain;
use matchkeep_shared::wire::snapshot::SnapshotHead;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the code makes of a vector's bytes: as the document's value would be, and encoded once more.
type Read = Result<(Value, Vec<u8>), String>;

#[test]
fn what_was_worked_out_by_hand_is_what_the_code_reads_and_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors");
    let mut seen = BTreeMap::<String, usize>::new();
    for entry in std::fs::read_dir(folder).expect("they are part of the project") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let vectors: Vec<Value> = serde_json::from_str(&text).expect("a list");
            for vector in &vectors {
                check(vector);
                *seen.entry(text_of(&vector["what"]).to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(seen.len(), 10, "every kind: {seen:?}");
    assert!(seen.values().sum::<usize>() >= 157, "{seen:?}");
}

fn check(vector: &Value) {
    let (what, name) = (text_of(&vector["what"]), text_of(&vector["name"]));
    let bytes = unhex(text_of(&vector["hex"]));
    let read = read(what, &bytes, &vector["given"]);
    let has = |mark: &str| vector[mark].as_bool().unwrap_or_default();
    if has("malformed") {
        let tolerated = has("tolerated");
        assert_eq!(read.is_ok(), tolerated, "{what}, {name}: {read:?}");
        return;
    }
    let (value, again) = read.unwrap_or_else(|error| panic!("{what}, {name}: {error}"));
    let document = &vector["value"];
    compare(what, &value, document).unwrap_or_else(|error| panic!("{what}, {name}: {error}"));
    // A comparison that knows no names would let this pass.
    for wrong in swapped(document) {
        assert!(compare(what, &value, &wrong).is_err(), "{what}, {name}: {value} is not {wrong}");
    }
    if !has("unusual") {
        assert_eq!(again, bytes, "{what}, {name}");
    }
}

fn read(what: &str, bytes: &[u8], given: &Value) -> Read {
    match what {
        "lobby request" => message(LobbyRequest::decode(bytes)),
        "lobby reply" => message(LobbyMessage::decode(bytes)),
        "client message" => message(ClientMessage::decode(bytes)),
        "server message" => message(ServerMessage::decode(bytes)),
        "arena event" => plain_value::<ArenaEvent>(bytes),
        "arena configuration" => configuration(bytes),
        "frame" => frames(bytes, given),
        "low bits" => Ok((low_bits(bytes, given), bytes.to_vec())),
        "input datagram" => input_datagram(bytes, given),
        "snapshot datagram" => snapshot(bytes, given),
        other => panic!("no such kind of vector: {other}"),
    }
}

fn message<T: Serialize, E: ToString>(decoded: Result<T, E>) -> Read {
    let value = decoded.map_err(|error| error.to_string())?;
    Ok((serde_json::to_value(&value).expect("JSON"), encode(&value)))
}

fn plain_value<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Read {
    message(decode::<T, SERVER_MESSAGE_BYTES_MAX>("vector", bytes))
}

/// Its bytes alone: a map that nobody can play on is a configuration on the wire, and none to the game.
fn configuration(bytes: &[u8]) -> Read {
    #[derive(Serialize, Deserialize)]
    struct Point {
        x: f32,
        y: f32,
        z: f32,
    }
    #[derive(Serialize, Deserialize)]
    struct Solid {
        lowest: Point,
        highest: Point,
    }
    #[derive(Serialize, Deserialize)]
    struct Spawn {
        origin: Point,
        yaw: u16,
    }
    #[derive(Serialize, Deserialize)]
    struct Pickup {
        item: PickupKind,
        origin: Point,
        respawn: u16,
    }
    #[derive(Serialize, Deserialize)]
    struct Map {
        name: String,
        boxes: Vec<Solid>,
        spawns: Vec<Spawn>,
        pickups: Vec<Pickup>,
    }
    #[derive(Serialize, Deserialize)]
    struct Configuration {
        map: Map,
        players_max: u16,
        players_min: u16,
        teams: u8,
        frag_limit: u16,
        time_limit: u16,
        warmup: u16,
        countdown: u16,
    }
    let as_game = decode::<ArenaConfig, SERVER_MESSAGE_BYTES_MAX>("vector", bytes);
    let read = plain_value::<Configuration>(bytes);
    if let (Ok(config), Ok((_, again))) = (as_game, &read) {
        assert_eq!(encode(&config), *again, "what the game takes is these bytes");
    }
    read
}

fn frames(bytes: &[u8], given: &Value) -> Read {
    let limit = number(&given["limit"]) as usize;
    let mut reader = FrameReader::default();
    reader.extend(bytes);
    let (mut messages, mut again) = (Vec::new(), Vec::new());
    while let Some(message) = reader.next(limit).map_err(|error| format!("{error:?}"))? {
        messages.push(hex(message));
        again.extend((message.len() as u16).to_le_bytes());
        again.extend(message);
    }
    let left = reader.waiting_bytes();
    again.extend(&bytes[bytes.len() - left..]);
    Ok((json!({"messages": messages, "left": left}), again))
}

fn low_bits(bytes: &[u8], given: &Value) -> Value {
    let low = bytes.iter().rev().fold(0, |low, byte| low << 8 | u64::from(*byte));
    let known = number(&given["known"]);
    match number(&given["bits"]) {
        16 => json!(Tick::from_low16(low as u16, Tick(known)).0),
        8 => json!(epoch_near(low as u8, known)),
        other => panic!("nothing is cut to {other} bits"),
    }
}

/// As both sides tell: by the signed difference of the low bits.
fn epoch_near(low: u8, known: u64) -> u64 {
    known.wrapping_add_signed(i64::from(low.wrapping_sub(known as u8) as i8))
}

fn input_datagram(bytes: &[u8], given: &Value) -> Read {
    let datagram = ClientDatagram::<ArenaInput>::decode(bytes).map_err(|e| format!("{e:?}"))?;
    let near = Tick(number(&given["tick"]));
    let epoch = epoch_near(datagram.epoch_low8, number(&given["epoch"]));
    let inputs: Vec<Value> = datagram
        .inputs()
        .iter()
        .map(|input| {
            let ArenaInput { yaw, pitch, forward, side, jump, fire, weapon } = *input;
            let weapon = weapon.map(|weapon| weapon.index());
            json!({
                "yaw": yaw, "pitch": pitch, "forward": forward, "side": side, "jump": jump,
                "fire": fire, "weapon": weapon,
            })
        })
        .collect();
    let newest = Tick::from_low16(datagram.newest_low16, near).0;
    let acknowledged = datagram
        .ack
        .map(|ack| json!({"tick": Tick::from_low16(ack.newest_low16, near).0, "held": ack.before}));
    let mut again = Vec::new();
    datagram.encode(&mut again);
    let tick = (!inputs.is_empty()).then_some(newest);
    let value = json!({
        "epoch": epoch, "acknowledged": acknowledged, "tick": tick, "inputs": inputs,
    });
    Ok((value, again))
}

/// Decoded against what it was given. Encoded once more is the head alone: how entities are told is a choice.
fn snapshot(bytes: &[u8], given: &Value) -> Read {
    let kinds = ArenaEntity::KINDS;
    let mut reader = BitReader::new(bytes);
    let head = SnapshotHead::decode(&mut reader).map_err(|error| format!("{error:?}"))?;
    let tick = Tick::from_low16(head.tick_low16, Tick(number(&given["tick"])));
    let epoch = epoch_near(head.epoch_low8, number(&given["epoch"]));
    let baseline = given.get("baseline").map(|entities| view(kinds, entities));
    if head.baseline_age.is_some() && baseline.is_none() {
        return Err("without its baseline".to_owned());
    }
    let mut after = View::default();
    let against = baseline.as_ref().filter(|_| head.baseline_age.is_some());
    decode_entities(CodecId::PLAIN, kinds, reader, against, &mut after)
        .map_err(|error| format!("{error:?}"))?;
    let ago = |age: u32| tick.0 - u64::from(age);
    let mut entities = serde_json::Map::new();
    for (EntityId(id), kind, raw) in after.iter(kinds) {
        let names = kinds[kind].fields.iter().map(|field| field.name.to_owned());
        let fields: serde_json::Map<_, _> =
            names.zip(raw.iter().map(|value| json!(value))).collect();
        entities.insert(id.to_string(), json!({"kind": kinds[kind].name, "fields": fields}));
    }
    let value = json!({
        "epoch": epoch,
        "tick": tick.0,
        "baseline": head.baseline_age.map(|age| ago(age.into())),
        "applied": head.feedback.newest_applied_age.map(|age| ago(age.into())),
        "missing": head.feedback.substituted,
        "margin": head.feedback.margin_100us,
        "durable": head.durable_lag.map(ago),
        "still": head.paused,
        "hash": head.state_hash,
        "entities": entities,
    });
    let mut encoded = Vec::new();
    let mut writer = BitWriter::new(&mut encoded);
    head.encode(&mut writer);
    let whole = writer.bits_written() / 8;
    writer.finish();
    let again = [&encoded[..whole], &bytes[whole..]].concat();
    Ok((value, again))
}

/// What a client holds, of the document's entities.
fn view(kinds: &[Kind], entities: &Value) -> View {
    let entities = entities.as_object().expect("by ID");
    let mut sorted: Vec<_> =
        entities.iter().map(|(id, entity)| (id.parse().expect("a number"), entity)).collect();
    sorted.sort_by_key(|(id, _)| *id);
    let mut bytes = Vec::new();
    let mut writer = BitWriter::new(&mut bytes);
    let mut previous = None;
    for (id, entity) in sorted {
        let name = text_of(&entity["kind"]);
        let kind = kinds.iter().position(|kind| kind.name == name).expect("a kind");
        let fields = kinds[kind].fields.iter();
        let raw: Vec<u32> =
            fields.map(|field| number(&entity["fields"][field.name]) as u32).collect();
        plain::write_create_tag(previous, EntityId(id), &mut writer);
        plain::write_whole(kinds, kind, &raw, &mut writer);
        previous = Some(EntityId(id));
    }
    plain::write_end(&mut writer);
    writer.finish();
    let mut view = View::default();
    decode_entities(CodecId::PLAIN, kinds, BitReader::new(&bytes), None, &mut view)
        .expect("the baseline is one");
    view
}

/// Names that differ: the code's, and the document's.
const NAMES: &[(&str, &str)] = &[
    ("match_id", "match"),
    ("waited_ms", "waited"),
    ("limit_ms", "limit"),
    ("hold_ms", "hold"),
    ("kind", "item"),
];
/// Pairs of the code whose parts the document names, by the list that they are in.
const PAIRS: &[(&str, [&str; 2])] = &[("stats", ["name", "value"])];
/// Choices of one value that the document alone has a name for.
const NAMED_BY_DOCUMENT: &[(&str, &str)] =
    &[("Roster", "entries"), ("Joined", "entry"), ("Phase", "phase")];
/// Choices of one value that the code alone has a name for.
const NAMED_BY_CODE: &[(&str, &str)] = &[("Identity", "token")];
/// What is one of several by its name, which the document writes in its own way.
const ONE_OF_SEVERAL: &[&str] = &["reason", "weapon", "item", "phase"];

fn looked_up<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
}

/// Whether the document's value is the code's, part by part and by the parts' names; `field` is what it is the value of.
fn compare(field: &str, code: &Value, document: &Value) -> Result<(), String> {
    let unlike = || Err(format!("{field}: the code has {code}, the document {document}"));
    match (code, document) {
        (Value::Object(ours), Value::Object(theirs)) => match choice(ours) {
            Some((tag, value)) => {
                let [(name, described)] = Vec::from_iter(theirs)[..] else { return unlike() };
                if !tag.eq_ignore_ascii_case(name) {
                    return unlike();
                }
                let member = |table, value: &Value| {
                    let only = value.as_object().filter(|members| members.len() == 1);
                    looked_up(table, tag).and_then(|name: &str| only?.get(name).cloned())
                };
                let ours = member(NAMED_BY_CODE, value);
                let theirs = member(NAMED_BY_DOCUMENT, described);
                // What is one of several goes by what it is called.
                let within = looked_up(NAMED_BY_DOCUMENT, tag).unwrap_or(tag);
                let ours = ours.as_ref().unwrap_or(value);
                compare(within, ours, theirs.as_ref().unwrap_or(described))
            }
            None if ours.len() != theirs.len() => unlike(),
            None => ours.iter().try_for_each(|(name, value)| {
                let known = Some(name.as_str()).filter(|name| theirs.contains_key(*name));
                let name = known.or(looked_up(NAMES, name)).unwrap_or(name);
                match theirs.get(name) {
                    Some(described) => compare(name, value, described),
                    None => Err(format!("{field}: the document has no `{name}`: {document}")),
                }
            }),
        },
        (Value::String(tag), Value::Object(theirs)) => {
            let bare = serde_json::Map::from_iter([(tag.clone(), json!({}))]);
            if *theirs == bare { Ok(()) } else { unlike() }
        }
        (Value::Array(ours), Value::Object(_)) => {
            let names = looked_up(PAIRS, field).filter(|names| names.len() == ours.len());
            let Some(names) = names else { return unlike() };
            let named =
                names.iter().zip(ours).map(|(name, part)| ((*name).to_owned(), part.clone()));
            compare(field, &Value::Object(named.collect()), document)
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).try_for_each(|(ours, theirs)| compare(field, ours, theirs))
        }
        (Value::Array(bytes), Value::String(text)) => {
            let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            match bytes.iter().map(byte).collect::<Option<Vec<u8>>>() {
                Some(bytes) if hex(&bytes) == *text => Ok(()),
                _ => unlike(),
            }
        }
        (Value::String(ours), Value::String(theirs)) if ONE_OF_SEVERAL.contains(&field) => {
            let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "");
            if plain(ours) == plain(theirs) { Ok(()) } else { unlike() }
        }
        _ if code == document => Ok(()),
        _ => unlike(),
    }
}

/// Which of several it is, and its value: serde calls choices by their names, fields never begin with a capital.
fn choice(members: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, value) = members.iter().next().filter(|_| members.len() == 1)?;
    name.starts_with(char::is_uppercase).then_some((name, value))
}

/// The value with any two members of one object changed for each other, in every way that makes another value.
fn swapped(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                for (other, another) in members.iter().filter(|(other, _)| *other > name) {
                    if value != another {
                        let mut members = members.clone();
                        members.insert(name.clone(), another.clone());
                        members.insert(other.clone(), value.clone());
                        all.push(Value::Object(members));
                    }
                }
                all.extend(swapped(value).into_iter().map(|inner| {
                    let mut members = members.clone();
                    members.insert(name.clone(), inner);
                    Value::Object(members)
                }));
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                all.extend(swapped(value).into_iter().map(|inner| {
                    let mut list = list.clone();
                    list[at] = inner;
                    Value::Array(list)
                }));
            }
        }
        _ => {}
    }
    all
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).expect("hex"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}
