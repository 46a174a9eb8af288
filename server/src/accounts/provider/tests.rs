//! Tokens of a provider, good ones and every kind of bad one; the keys are made here.

use jsonwebtoken::{EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_800_000_000_000;
const NOW_S: u64 = NOW / 1000;

/// A provider with one key pair.
struct Issuer {
    algorithm: Algorithm,
    pair: KeyPair,
}

impl Issuer {
    fn new(algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::EdDSA => &PKCS_ED25519,
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::RS256 => panic!("ring makes no RSA keys"),
        };
        Self { algorithm, pair: KeyPair::generate_for(kind).expect("a key pair") }
    }

    fn pem(&self) -> String {
        self.pair.public_key_pem()
    }

    fn jwk(&self, id: &str) -> Value {
        let raw = self.pair.der_bytes();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.algorithm {
            Algorithm::EdDSA => json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(raw)}),
            // 0x04, then both coordinates.
            _ => json!({
                "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256",
                "x": text(&raw[1..33]), "y": text(&raw[33..]),
            }),
        }
    }

    fn sign(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm.of_library());
        header.kid = id.map(str::to_owned);
        let pkcs8 = self.pair.serialize_der();
        let key = match self.algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_der(&pkcs8),
            _ => EncodingKey::from_ec_der(&pkcs8),
        };
        encode(&header, claims, &key).expect("it signs")
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": "my-game", "sub": "user-1", "name": "Ada",
        "iat": NOW_S - 1, "exp": NOW_S + 600,
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().expect("an object").remove(key)),
        value => claims[key] = value,
    }
    claims
}

fn provider(algorithm: Algorithm, keys: &[u8]) -> Provider {
    let rules = ProviderRules {
        algorithm,
        issuer: "https://id.example".to_owned(),
        audience: "my-game".to_owned(),
        valid_max: Duration::from_secs(900),
    };
    let keys = ProviderKeys::parse(keys, algorithm).expect("keys");
    Provider::new(rules, watch::channel(Arc::new(keys)).1)
}

#[test]
fn who_the_provider_names_is_believed_under_each_algorithm_and_form_of_key() {
    for algorithm in [Algorithm::EdDSA, Algorithm::ES256] {
        let issuer = Issuer::new(algorithm);
        let set = json!({"keys": [issuer.jwk("a"), {"kty": "unknown"}]}).to_string();
        for keys in [issuer.pem(), set] {
            let identity = provider(algorithm, keys.as_bytes())
                .verify(&issuer.sign(Some("a"), &claims()), NOW)
                .expect("it is good");
            assert_eq!((identity.subject.as_str(), identity.name.as_str()), ("user-1", "Ada"));
            assert_eq!(identity.issued_unix_ms, NOW - 1000);
            assert_eq!(identity.expires_unix_ms, NOW + 600_000 + 5000, "with its leeway");
        }
    }
}

#[test]
fn rsa_is_taken_too() {
    // A key pair and a token made with OpenSSL.
    let token = include_str!("tests/rs256.jwt").trim();
    for keys in [include_bytes!("tests/rs256.pem").as_slice(), include_bytes!("tests/rs256.json")] {
        let provider = provider(Algorithm::RS256, keys);
        assert_eq!(provider.verify(token, NOW).expect("it is good").subject, "user-1");
        let mut flipped = token.to_owned();
        flipped.replace_range(token.len() - 10..token.len() - 9, "_");
        assert_eq!(provider.verify(&flipped, NOW), Err(DisconnectReason::IdentitySignature));
    }
}

#[test]
fn a_token_made_by_a_clock_that_is_ahead_was_made_by_now_and_no_later() {
    let issuer = Issuer::new(Algorithm::EdDSA);
    let provider = provider(Algorithm::EdDSA, issuer.pem().as_bytes());
    for (iat_s, issued) in [(NOW_S - 1, NOW - 1000), (NOW_S, NOW), (NOW_S + 5, NOW)] {
        let token = issuer.sign(None, &with("iat", json!(iat_s)));
        let identity = provider.verify(&token, NOW).expect("it is good");
        assert_eq!(identity.issued_unix_ms, issued);
        // A revocation that comes in the moment after voids it.
        let (reason, since_unix_ms) = (DisconnectReason::IdentityRevoked, NOW + 1);
        let bar = crate::accounts::Bar { reason, since_unix_ms };
        assert!(bar.voids(identity.issued_unix_ms));
    }
}

#[test]
fn each_way_of_not_being_good_has_its_own_reason() {
    let issuer = Issuer::new(Algorithm::EdDSA);
    let set = json!({"keys": [issuer.jwk("a")]}).to_string();
    let provider = provider(Algorithm::EdDSA, set.as_bytes());
    use DisconnectReason as R;
    for (what, changed, reason) in [
        ("expired", with("exp", json!(NOW_S - 6)), R::IdentityExpired),
        ("not yet", with("nbf", json!(NOW_S + 6)), R::IdentityNotYetValid),
        ("made later", with("iat", json!(NOW_S + 60)), R::IdentityNotYetValid),
        ("for too long", with("exp", json!(NOW_S + 1000)), R::IdentityTooLong),
        ("another issuer", with("iss", json!("https://evil.example")), R::IdentityIssuer),
        ("no issuer", with("iss", Value::Null), R::IdentityIssuer),
        ("another audience", with("aud", json!("other-game")), R::IdentityAudience),
        ("no audience", with("aud", Value::Null), R::IdentityAudience),
        ("no end", with("exp", Value::Null), R::IdentityMalformed),
        ("an end beyond time", with("exp", json!(1e300)), R::IdentityMalformed),
        ("nobody", with("sub", Value::Null), R::IdentityMalformed),
        ("an empty nobody", with("sub", json!("")), R::IdentityMalformed),
    ] {
        let token = issuer.sign(Some("a"), &changed);
        assert_eq!(provider.verify(&token, NOW), Err(reason), "{what}");
    }
    // The leeway, to the millisecond.
    let token = issuer.sign(Some("a"), &with("exp", json!(NOW_S)));
    assert!(provider.verify(&token, NOW + 4999).is_ok());
    assert_eq!(provider.verify(&token, NOW + 5000), Err(R::IdentityExpired));
    // An audience may be a list.
    let token = issuer.sign(Some("a"), &with("aud", json!(["x", "my-game"])));
    assert!(provider.verify(&token, NOW).is_ok());

    let stranger = Issuer::new(Algorithm::EdDSA);
    let forged = stranger.sign(Some("a"), &claims());
    assert_eq!(provider.verify(&forged, NOW), Err(R::IdentitySignature));
    let unknown = issuer.sign(Some("b"), &claims());
    assert_eq!(provider.verify(&unknown, NOW), Err(R::IdentityKey));
}

#[test]
fn a_token_that_was_made_for_longer_is_not_good_in_its_last_minutes_either() {
    let issuer = Issuer::new(Algorithm::EdDSA);
    let provider = provider(Algorithm::EdDSA, issuer.pem().as_bytes());
    let verify = |claims: &Value, now_s| {
        provider.verify(&issuer.sign(None, claims), now_s * 1000).map(|identity| identity.subject)
    };
    let long = Err(DisconnectReason::IdentityTooLong);
    let made_for = |seconds| {
        let mut claims = with("iat", json!(NOW_S));
        claims["exp"] = json!(NOW_S + seconds);
        claims
    };
    let day = 24 * 3600;
    for now_s in [NOW_S, NOW_S + 3600, NOW_S + day - 600, NOW_S + day - 1] {
        assert_eq!(verify(&made_for(day), now_s), long, "at {now_s}");
    }
    // The allowed 15 minutes, and the leeway.
    for now_s in [NOW_S - 4, NOW_S, NOW_S + 900] {
        assert!(verify(&made_for(900), now_s).is_ok(), "at {now_s}");
        assert_eq!(verify(&made_for(906), now_s), long, "at {now_s}");
    }
    assert!(verify(&made_for(905), NOW_S).is_ok());
    // Where it does not say when it was made, what is left of it counts.
    let mut unsaid = made_for(day);
    unsaid.as_object_mut().expect("an object").remove("iat");
    assert_eq!(verify(&unsaid, NOW_S), long);
    assert!(verify(&unsaid, NOW_S + day - 600).is_ok());
}

#[test]
fn the_tokens_word_on_its_algorithm_counts_for_nothing() {
    let issuer = Issuer::new(Algorithm::EdDSA);
    let provider = provider(Algorithm::EdDSA, issuer.pem().as_bytes());
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = issuer.sign(None, &claims());
    let signature = token.rsplit('.').next().expect("three parts").to_owned();
    for alg in ["none", "None", "HS256", "RS256", "ES256", "eddsa", ""] {
        for signature in ["", &signature] {
            let head = text(&json!({"alg": alg, "typ": "JWT"}));
            let token = format!("{head}.{}.{signature}", text(&claims()));
            assert_eq!(
                provider.verify(&token, NOW),
                Err(DisconnectReason::IdentityAlgorithm),
                "{alg}"
            );
        }
    }
    // The public key as a shared secret.
    let header = Header::new(jsonwebtoken::Algorithm::HS256);
    let secret = EncodingKey::from_secret(issuer.pem().as_bytes());
    let token = encode(&header, &claims(), &secret).expect("it signs");
    assert_eq!(provider.verify(&token, NOW), Err(DisconnectReason::IdentityAlgorithm));
    // A key brought along.
    let head =
        json!({"alg": "EdDSA", "jwk": issuer.jwk("x"), "kid": "x", "jku": "https://evil.example"});
    let token = format!("{}.{}.{signature}", text(&head), text(&claims()));
    assert_eq!(provider.verify(&token, NOW), Err(DisconnectReason::IdentitySignature));
}

#[test]
fn two_keys_are_good_at_once_while_one_follows_the_other() {
    let (old, new) = (Issuer::new(Algorithm::ES256), Issuer::new(Algorithm::ES256));
    let both = json!({"keys": [old.jwk("old"), new.jwk("new")]}).to_string();
    let keys =
        |set: &str| Arc::new(ProviderKeys::parse(set.as_bytes(), Algorithm::ES256).expect("keys"));
    let mut provider = provider(Algorithm::ES256, both.as_bytes());
    let (sender, receiver) = watch::channel(keys(&both));
    provider.keys = receiver;
    let tokens = [old.sign(Some("old"), &claims()), new.sign(Some("new"), &claims())];
    assert!(tokens.iter().all(|token| provider.verify(token, NOW).is_ok()));
    // Which one it is must be said.
    let unnamed = new.sign(None, &claims());
    assert_eq!(provider.verify(&unnamed, NOW), Err(DisconnectReason::IdentityKey));
    sender.send_replace(keys(&json!({"keys": [new.jwk("new")]}).to_string()));
    assert_eq!(provider.verify(&tokens[0], NOW), Err(DisconnectReason::IdentityKey));
    assert!(provider.verify(&tokens[1], NOW).is_ok());
    assert!(provider.verify(&unnamed, NOW).is_ok());
}

#[test]
fn a_name_is_what_can_be_shown() {
    let issuer = Issuer::new(Algorithm::EdDSA);
    let provider = provider(Algorithm::EdDSA, issuer.pem().as_bytes());
    for (claims, name) in [
        (with("name", json!("  Grace \u{7}Hopper ")), "Grace Hopper"),
        (
            with("name", json!("a name that is far too long to be shown")),
            "a name that is far too l",
        ),
        (with("name", json!("\u{7}")), "user-1"),
        (with("name", Value::Null), "user-1"),
        (with("preferred_username", json!("ada99")), "Ada"),
    ] {
        let identity = provider.verify(&issuer.sign(None, &claims), NOW).expect("it is good");
        assert_eq!(identity.name, name);
    }
}

#[test]
fn a_file_without_a_key_for_the_algorithm_is_none() {
    let issuer = Issuer::new(Algorithm::EdDSA);
    let parse = |text: &str, algorithm| {
        ProviderKeys::parse(text.as_bytes(), algorithm)
            .map(|_| ())
            .expect_err("no keys")
            .to_string()
    };
    assert!(parse(&issuer.pem(), Algorithm::ES256).contains("no key in it is for ES256"));
    let set = json!({"keys": [issuer.jwk("a")]}).to_string();
    assert!(parse(&set, Algorithm::RS256).contains("no key in it is for RS256"));
    assert!(parse("{}", Algorithm::EdDSA).contains("`keys`"));
    assert!(parse("", Algorithm::EdDSA).contains("no key in it"));
    let two = format!("{}{}", issuer.pem(), Issuer::new(Algorithm::EdDSA).pem());
    assert!(parse(&two, Algorithm::EdDSA).contains("JSON Web Key Set"));
    // A key of another purpose is not used.
    let mut jwk = issuer.jwk("a");
    jwk["use"] = json!("enc");
    let set = json!({"keys": [jwk]}).to_string();
    assert!(parse(&set, Algorithm::EdDSA).contains("no key in it"));
}

#[test]
fn a_pem_file_that_no_signature_could_be_checked_with_is_refused_and_the_fix_is_named() {
    // Key pairs made with OpenSSL; their private halves are gone.
    let refused = |pem: &[u8], algorithm| {
        let parsed = ProviderKeys::parse(pem, algorithm);
        parsed.map(|_| ()).expect_err("it is refused").to_string()
    };
    let curve = "and ES256 takes P-256 (prime256v1)";
    for (pem, curve_named) in [
        (include_bytes!("tests/p384.pem").as_slice(), "the curve P-384,"),
        // Its points are as long as those of P-256.
        (include_bytes!("tests/secp256k1.pem"), "the curve 1.3.132.0.10,"),
        (include_bytes!("tests/p256-explicit.pem"), "the curve without a name,"),
    ] {
        let error = refused(pem, Algorithm::ES256);
        assert!(error.contains(curve_named) && error.contains(curve), "{error}");
        assert!(error.starts_with("the key cannot be used"), "{error}");
    }
    let error = refused(include_bytes!("tests/p256-compressed.pem"), Algorithm::ES256);
    assert!(error.contains("33 bytes") && error.contains("uncompressed"), "{error}");
    for (pem, bits) in [
        (include_bytes!("tests/rsa1024.pem").as_slice(), "1024 bits"),
        (include_bytes!("tests/rsa8200.pem"), "8200 bits"),
    ] {
        let error = refused(pem, Algorithm::RS256);
        assert!(error.contains(bits) && error.contains("allowed are 2048 to 8192"), "{error}");
    }
    assert!(ProviderKeys::parse(include_bytes!("tests/p256.pem"), Algorithm::ES256).is_ok());
    assert!(ProviderKeys::parse(include_bytes!("tests/rs256.pem"), Algorithm::RS256).is_ok());
}

#[test]
fn a_key_of_a_set_is_asked_the_same() {
    let parse = |keys: &[Value], algorithm| {
        let set = json!({ "keys": keys }).to_string();
        let parsed = ProviderKeys::parse(set.as_bytes(), algorithm);
        parsed.map(|keys| keys.ids().map(str::to_owned).collect::<Vec<_>>())
    };
    let refused = |key: &Value, algorithm| {
        parse(std::slice::from_ref(key), algorithm).expect_err("it is refused").to_string()
    };
    let text = |byte: u8, bytes: usize| URL_SAFE_NO_PAD.encode(vec![byte; bytes]);
    let good = Issuer::new(Algorithm::ES256).jwk("good");

    let mut p384 =
        json!({"kty": "EC", "crv": "P-384", "kid": "p", "x": text(7, 48), "y": text(7, 48)});
    assert!(refused(&p384, Algorithm::ES256).contains("no key in it is for ES256"));
    let both = [p384.clone(), good.clone()];
    assert_eq!(parse(&both, Algorithm::ES256).expect("one is good"), ["good"], "it is for ES384");
    p384["alg"] = json!("ES256");
    let error = refused(&p384, Algorithm::ES256);
    assert!(error.contains("the key `p`") && error.contains("the curve P-384,"), "{error}");
    let mut short = good;
    short["x"] = json!(text(7, 31));
    assert!(refused(&short, Algorithm::ES256).contains("64 bytes"));
    short["x"] = json!("=");
    assert!(refused(&short, Algorithm::ES256).contains("`x`"));

    let rsa = |modulus: String| json!({"kty": "RSA", "kid": "r", "n": modulus, "e": "AQAB"});
    for (bytes, bits) in [(128, "1024 bits"), (255, "2040 bits"), (1025, "8200 bits")] {
        let error = refused(&rsa(text(0xff, bytes)), Algorithm::RS256);
        assert!(error.contains("the key `r`") && error.contains(bits), "{error}");
    }
    for bytes in [256, 1024] {
        assert_eq!(parse(&[rsa(text(0xff, bytes))], Algorithm::RS256).expect("good"), ["r"]);
    }
    // Zeros in front add nothing.
    let padded = URL_SAFE_NO_PAD.encode([vec![0; 128], vec![0xff; 128]].concat());
    assert!(refused(&rsa(padded), Algorithm::RS256).contains("1024 bits"));

    let ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": text(7, 31)});
    assert!(refused(&ed, Algorithm::EdDSA).contains("31 bytes"));
}

#[test]
fn a_modulus_with_a_zero_in_front_is_the_same_key() {
    let token = include_str!("tests/rs256.jwt").trim();
    let mut set: Value = serde_json::from_str(include_str!("tests/rs256.json")).expect("JSON");
    let modulus = set["keys"][0]["n"].as_str().expect("a modulus");
    let modulus = URL_SAFE_NO_PAD.decode(modulus).expect("base64");
    set["keys"][0]["n"] = json!(URL_SAFE_NO_PAD.encode([vec![0], modulus].concat()));
    let provider = provider(Algorithm::RS256, set.to_string().as_bytes());
    assert_eq!(provider.verify(token, NOW).expect("it is good").subject, "user-1");
}
