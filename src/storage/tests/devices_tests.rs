//! Devices and their tokens.

use super::*;

const KEY: [u8; 3] = [1, 2, 3];

async fn with_account() -> (Storage, AccountId) {
    let storage = Storage::temporary().await.unwrap();
    let key = |stored: [u8; 3]| Credential {
        hash: ScramHash::Sha256,
        salt: vec![0],
        iterations: 4096,
        stored_key: stored.to_vec(),
        server_key: vec![0],
    };
    let id = storage.account_create("romeo@im.example", 1, vec![key(KEY)]).await.unwrap();
    (storage, id)
}

fn seen(account: AccountId, id: &str, at_us: i64) -> DeviceSeen {
    let (id, software) = (id.to_owned(), Some("Dino".to_owned()));
    DeviceSeen { account, id, software, name: None, at_us, password: true, devices_max: 3 }
}

fn token(nonce: u8) -> FastToken {
    FastToken { mechanism: "HT".into(), nonce: vec![nonce], issued_us: 10, expires_us: 100, count: 0, used: false }
}

fn by_key() -> Witness {
    Witness::Key(ScramHash::Sha256, KEY.to_vec())
}

async fn nonces(storage: &Storage, device: &str) -> Vec<u8> {
    let found = storage.device_tokens("romeo@im.example", device).await.unwrap();
    found.map_or(Vec::new(), |d| d.tokens.iter().map(|t| t.nonce[0]).collect())
}

const USE: FastUse = FastUse { at_us: 50, count: None, invalidate: false };

#[tokio::test]
async fn a_new_token_replaces_the_old_one_when_it_is_used() {
    let (storage, id) = with_account().await;
    assert!(storage.device_seen(seen(id, "a", 1), Some((token(1), by_key()))).await.unwrap());
    assert!(storage.fast_use(id, "a", vec![1], USE).await.unwrap());
    for nonce in [2, 3] {
        let by_token = Witness::Token(vec![1]);
        assert!(storage.device_seen(seen(id, "a", 2), Some((token(nonce), by_token))).await.unwrap());
    }
    assert_eq!(nonces(&storage, "a").await, [3, 1], "the one never used is gone");
    assert!(storage.fast_use(id, "a", vec![1], USE).await.unwrap(), "the old one is still good");
    assert_eq!(nonces(&storage, "a").await, [3, 1]);
    assert!(storage.fast_use(id, "a", vec![3], USE).await.unwrap());
    assert_eq!(nonces(&storage, "a").await, [3]);
    assert!(!storage.fast_use(id, "a", vec![1], USE).await.unwrap());
    assert!(storage.fast_use(id, "a", vec![3], FastUse { invalidate: true, ..USE }).await.unwrap());
    assert!(nonces(&storage, "a").await.is_empty());
}

#[tokio::test]
async fn a_replay_counter_only_grows() {
    let (storage, id) = with_account().await;
    storage.device_seen(seen(id, "a", 1), Some((token(1), by_key()))).await.unwrap();
    let with = |count| storage.fast_use(id, "a", vec![1], FastUse { count: Some(count), ..USE });
    assert!(!with(0).await.unwrap());
    assert!(with(5).await.unwrap());
    assert!(!with(5).await.unwrap());
    assert!(!with(4).await.unwrap());
    assert!(with(6).await.unwrap());
}

#[tokio::test]
async fn no_token_for_what_is_not_in_force() {
    let (storage, id) = with_account().await;
    let old = Witness::Key(ScramHash::Sha256, vec![9]);
    assert!(!storage.device_seen(seen(id, "a", 1), Some((token(1), old))).await.unwrap());
    assert!(storage.device_list(id).await.unwrap().is_empty());
    storage.device_seen(seen(id, "a", 1), Some((token(1), by_key()))).await.unwrap();
    storage.account_set_credentials(id, Vec::new()).await.unwrap();
    assert!(nonces(&storage, "a").await.is_empty(), "a new password ends all tokens");
    assert_eq!(storage.device_list(id).await.unwrap()[0].password_us, None);
    let by_token = Witness::Token(vec![1]);
    assert!(!storage.device_seen(seen(id, "a", 1), Some((token(2), by_token))).await.unwrap());
}

#[tokio::test]
async fn the_device_not_seen_for_longest_makes_room() {
    let (storage, id) = with_account().await;
    for (name, at_us) in [("a", 5), ("b", 1), ("c", 3), ("d", 2)] {
        storage.device_seen(seen(id, name, at_us), None).await.unwrap();
    }
    let left = |rows: Vec<DeviceRow>| rows.into_iter().map(|d| d.id).collect::<Vec<_>>();
    assert_eq!(left(storage.device_list(id).await.unwrap()), ["a", "c", "d"]);
    assert_eq!(storage.devices_expire(0, 3).await.unwrap(), 1);
    assert_eq!(left(storage.device_list(id).await.unwrap()), ["a", "c"]);
}

#[tokio::test]
async fn revoking() {
    let (storage, id) = with_account().await;
    storage.device_seen(seen(id, "a", 1), Some((token(1), by_key()))).await.unwrap();
    let revoked = storage.device_revoke(id, "a").await.unwrap();
    assert_eq!(revoked, Some(Revoked { tokens: 1, password: true }));
    assert_eq!(storage.device_list(id).await.unwrap().len(), 1);
    let unproven = DeviceSeen { password: false, ..seen(id, "b", 1) };
    storage.device_seen(unproven, Some((token(2), by_key()))).await.unwrap();
    assert_eq!(storage.device_revoke(id, "b").await.unwrap(), Some(Revoked { tokens: 1, password: false }));
    assert_eq!(storage.device_revoke(id, "b").await.unwrap(), None);
}

/// Keys are added to those of the same password only, and replace none.
#[tokio::test]
async fn missing_keys_are_added() {
    let (storage, id) = with_account().await;
    let key = |hash, stored: u8| Credential {
        hash,
        salt: vec![0],
        iterations: 4096,
        stored_key: vec![stored],
        server_key: vec![0],
    };
    let both = vec![key(ScramHash::Sha1, 7), key(ScramHash::Sha256, 8)];
    let wrong = (ScramHash::Sha256, vec![9]);
    assert!(!storage.account_add_credentials(id, wrong, both.clone()).await.unwrap());
    let right = (ScramHash::Sha256, KEY.to_vec());
    assert!(storage.account_add_credentials(id, right, both).await.unwrap());
    let mut keys = storage.account("romeo@im.example").await.unwrap().unwrap().credentials;
    keys.sort_by_key(|c| c.hash);
    assert_eq!(keys.iter().map(|c| c.stored_key.clone()).collect::<Vec<_>>(), [vec![7], KEY.to_vec()]);
}
