//! A machine that loses power: of what was written since the last sync, any part may be on the
//! disk, and the last page may be half there. What `put` returned for is there all the same.

use super::*;
use redb::StorageBackend;
use std::collections::BTreeSet;

/// What a disk was told, in order.
#[derive(Clone, Debug)]
enum Told {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

/// A disk that remembers what it was told.
#[derive(Clone, Debug, Default)]
struct Disk {
    now: Arc<Mutex<Vec<u8>>>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(locked(&self.now).len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&locked(&self.now)[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        locked(&self.now).resize(usize::try_from(len).unwrap(), 0);
        locked(&self.told).push(Told::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        locked(&self.told).push(Told::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        apply(&mut locked(&self.now), &Told::Write(offset, data.to_vec()));
        locked(&self.told).push(Told::Write(offset, data.to_vec()));
        Ok(())
    }
}

fn apply(image: &mut Vec<u8>, told: &Told) {
    match told {
        Told::Write(offset, data) => {
            let start = usize::try_from(*offset).unwrap();
            if image.len() < start + data.len() {
                image.resize(start + data.len(), 0);
            }
            image[start..start + data.len()].copy_from_slice(data);
        }
        Told::Length(len) => image.resize(usize::try_from(*len).unwrap(), 0),
        Told::Sync => {}
    }
}

/// The disk after the power failed behind so many orders: everything up to the last sync, and of
/// the rest what the numbers choose, one of them torn.
fn after_failure(told: &[Told], orders: usize, mut seed: u64) -> Vec<u8> {
    let synced = told[..orders].iter().rposition(|told| matches!(told, Told::Sync)).map_or(0, |at| at + 1);
    let mut image = Vec::new();
    told[..synced].iter().for_each(|told| apply(&mut image, told));
    for order in &told[synced..orders] {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (seed >> 33) % 3 {
            0 => {}
            1 => apply(&mut image, order),
            _ => {
                let torn = match order {
                    Told::Write(offset, data) => Told::Write(*offset, data[..data.len() / 2].to_vec()),
                    other => other.clone(),
                };
                apply(&mut image, &torn);
            }
        }
    }
    image
}

#[test]
fn what_was_written_outlives_a_power_failure_at_any_moment() {
    let disk = Disk::default();
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    // the orders after which a row is promised, and the row
    let mut promised = Vec::new();
    for number in 0..40u8 {
        let key = format!("user{}", number % 25);
        let row = vec![(key.clone(), Some(vec![10, 5, number, 1]))];
        assert!(put(&database, LEASES, &row).is_ok());
        promised.push((locked(&disk.told).len(), key, vec![10, 5, number, 1]));
    }
    std::mem::forget(database);
    let told = locked(&disk.told).clone();
    let first = promised[0].0;
    let mut orders: BTreeSet<usize> = promised.iter().map(|(orders, ..)| *orders).collect();
    orders.extend((first..told.len()).step_by(7));
    for orders in orders {
        for seed in 0..6 {
            let image = after_failure(&told, orders, seed);
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(NAME), &image).unwrap();
            let rows = Store::open(folder.path()).unwrap().rows(LEASES);
            // the last promise about each key, or one that was being made
            let mut wanted = Rows::new();
            for (at, key, row) in promised.iter().filter(|(at, ..)| *at <= orders) {
                let _at = at;
                wanted.insert(key.clone(), row.clone());
            }
            let next = promised.iter().find(|(at, ..)| *at > orders);
            for (key, row) in &wanted {
                let found = rows.get(key);
                let is_next = next.is_some_and(|(_, other, new)| other == key && found == Some(new));
                assert!(found == Some(row) || is_next, "after {orders} orders: {key} has {found:?}");
            }
            let addresses: BTreeSet<_> = rows.values().collect();
            assert_eq!(addresses.len(), rows.len(), "an address twice");
        }
    }
}
