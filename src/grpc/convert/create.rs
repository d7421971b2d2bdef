use std::{collections::HashMap, sync::Arc};

use super::{Inward, Outward, Rules, Violations};
use crate::{
    domain::{
        Barcode, BarcodePrefix, ClientToken, CreateTapeWithBarcode, CreateTapes, CreatedTape, CreatedTapes,
        Encryption, Invalid, KmsKey, MAX_TAGS, NewTape, Pool, StorageClass, Tag, TagKey, TagValue, TapeSize,
    },
    grpc::proto,
};

/// The most tapes that one CreateTapes may ask for (service model).
const MAX_TAPES: u8 = 10;

impl Inward for proto::CreateTapeWithBarcodeRequest {
    type Operation = CreateTapeWithBarcode;

    fn inward(self, rules: &Rules) -> Result<CreateTapeWithBarcode, Violations> {
        use proto::create_tape_with_barcode_request::Pool as Choice;
        let Self {
            gateway_arn,
            tape_size_in_bytes,
            tape_barcode,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        } = self;
        let pool = pool.map(|choice| match choice {
            Choice::PoolId(number) => PoolChoice::Listed(number),
            Choice::CustomPoolId(id) => PoolChoice::Custom(id),
        });
        let mut faults = Violations::default();
        let asked = Asked {
            gateway_arn,
            tape_size_in_bytes,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        };
        let tape = asked.check(rules, &mut faults);
        let barcode: Option<Barcode> = faults.take("tape_barcode", tape_barcode.parse());
        faults.into_result(
            tape.zip(barcode)
                .map(|(tape, barcode)| CreateTapeWithBarcode { barcode, tape }),
        )
    }
}

impl Inward for proto::CreateTapesRequest {
    type Operation = CreateTapes;

    fn inward(self, rules: &Rules) -> Result<CreateTapes, Violations> {
        use proto::create_tapes_request::Pool as Choice;
        let Self {
            gateway_arn,
            tape_size_in_bytes,
            client_token,
            num_tapes_to_create,
            tape_barcode_prefix,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        } = self;
        let pool = pool.map(|choice| match choice {
            Choice::PoolId(number) => PoolChoice::Listed(number),
            Choice::CustomPoolId(id) => PoolChoice::Custom(id),
        });
        let mut faults = Violations::default();
        let asked = Asked {
            gateway_arn,
            tape_size_in_bytes,
            kms_encrypted,
            kms_key,
            pool,
            worm,
            tags,
        };
        let tape = asked.check(rules, &mut faults);
        let client_token: Option<ClientToken> = faults.take("client_token", client_token.parse());
        let count = faults.take("num_tapes_to_create", count(num_tapes_to_create));
        let prefix: Option<BarcodePrefix> = faults.take("tape_barcode_prefix", tape_barcode_prefix.parse());
        let built =
            tape.zip(client_token)
                .zip(count.zip(prefix))
                .map(|((tape, client_token), (count, prefix))| CreateTapes {
                    client_token,
                    count,
                    prefix,
                    tape,
                });
        faults.into_result(built)
    }
}

/// What both requests ask for alike; the generated types share no such part.
struct Asked {
    gateway_arn: String,
    tape_size_in_bytes: i64,
    kms_encrypted: Option<bool>,
    kms_key: Option<String>,
    pool: Option<PoolChoice>,
    worm: Option<bool>,
    tags: Vec<proto::Tag>,
}

enum PoolChoice {
    Listed(i32),
    Custom(String),
}

impl Asked {
    fn check(self, rules: &Rules, faults: &mut Violations) -> Option<NewTape> {
        let gateway = rules.gateway(&self.gateway_arn, faults);
        let size = faults.take(
            "tape_size_in_bytes",
            TapeSize::new(self.tape_size_in_bytes, &rules.tape_sizes),
        );
        let encryption = encryption(self.kms_encrypted, self.kms_key, faults);
        let pool = pool(self.pool, faults);
        let tags = tags(self.tags, faults);
        Some(NewTape {
            gateway: gateway?,
            size: size?,
            encryption: encryption?,
            pool: pool?,
            worm: self.worm,
            tags,
        })
    }
}

fn count(count: i32) -> Result<u8, Invalid> {
    match u8::try_from(count) {
        Ok(count @ 1..=MAX_TAPES) => Ok(count),
        _ if count > i32::from(MAX_TAPES) => Err(Invalid::new(format!(
            "{count} tapes are more than one call makes, {MAX_TAPES}: make several calls, each with a token of its own"
        ))),
        _ => Err(Invalid::new(format!(
            "{count} is not a number of tapes: 1–{MAX_TAPES}"
        ))),
    }
}

fn encryption(encrypted: Option<bool>, key: Option<String>, faults: &mut Violations) -> Option<Encryption> {
    let key = key.map(|key| {
        let parsed = faults.take("kms_key", key.parse());
        // Whether there may be a key at all is asked of a wrong one too.
        parsed.unwrap_or_else(|| KmsKey::reported(key))
    });
    faults.take("kms_key", Encryption::new(encrypted, key))
}

/// The pool of a create: none chosen is no fault.
fn pool(choice: Option<PoolChoice>, faults: &mut Violations) -> Option<Option<Pool>> {
    Some(match choice {
        None => None,
        Some(PoolChoice::Custom(id)) => Some(faults.take("custom_pool_id", id.parse())?),
        Some(PoolChoice::Listed(number)) => Some(faults.take("pool_id", listed_pool(number))?),
    })
}

fn listed_pool(number: i32) -> Result<Pool, Invalid> {
    match proto::PoolId::try_from(number) {
        Ok(proto::PoolId::Glacier) => Ok(StorageClass::Glacier.into()),
        Ok(proto::PoolId::DeepArchive) => Ok(StorageClass::DeepArchive.into()),
        Ok(proto::PoolId::Unspecified) => Err(Invalid::new(
            "POOL_ID_UNSPECIFIED names no pool: leave the pool unset to let AWS decide, \
             or choose POOL_ID_GLACIER, POOL_ID_DEEP_ARCHIVE or a custom_pool_id",
        )),
        Err(_) => Err(Invalid::new(format!(
            "{number} is no PoolId that this build knows; custom_pool_id takes the name of a newer storage class"
        ))),
    }
}

fn tags(asked: Vec<proto::Tag>, faults: &mut Violations) -> Arc<[Tag]> {
    if asked.len() > MAX_TAGS {
        faults.push(
            "tags",
            format!("at most {MAX_TAGS} tags, this has {}", asked.len()),
        );
        return Arc::default();
    }
    let mut first_with: HashMap<String, usize> = HashMap::new();
    let mut tags = Vec::with_capacity(asked.len());
    for (index, proto::Tag { key, value }) in asked.into_iter().enumerate() {
        let checked_key = faults.take(format!("tags[{index}].key"), TagKey::new(&key));
        let checked_value = faults.take(format!("tags[{index}].value"), TagValue::new(&value));
        if let Some(first) = first_with.get(&key) {
            let why = format!(
                "{} is the key of tags[{first}] too: keys are unique",
                Invalid::quote(&key)
            );
            faults.push(format!("tags[{index}].key"), why);
        } else {
            first_with.insert(key, index);
        }
        tags.extend(
            checked_key
                .zip(checked_value)
                .map(|(key, value)| Tag { key, value }),
        );
    }
    tags.into()
}

impl Outward for CreatedTape {
    type Message = proto::CreateTapeWithBarcodeResponse;

    fn outward(self) -> Self::Message {
        let Self { tape_arn } = self;
        proto::CreateTapeWithBarcodeResponse { tape_arn }
    }
}

impl Outward for CreatedTapes {
    type Message = proto::CreateTapesResponse;

    fn outward(self) -> Self::Message {
        let Self { tape_arns } = self;
        proto::CreateTapesResponse { tape_arns }
    }
}
