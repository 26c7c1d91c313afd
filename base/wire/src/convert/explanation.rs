//! The messages of explanations.

use std::time::Duration;

use finial_identity::SelectorSet;

use super::{entry, id, time};
use crate::error::WireError;
use crate::proto::changes as proto;
use crate::{ExplainedAttestor, ExplainedMatch, ExplainedMiss, ExplainedProcess, ExplainedSvid, Explanation};

pub(crate) fn to_explanation(it: &Explanation) -> proto::ExplainProcessResponse {
    let process = &it.process;
    proto::ExplainProcessResponse {
        summary: it.summary.clone(),
        process: Some(proto::Process {
            pid: process.pid,
            uid: process.uid,
            gid: process.gid,
            path: process.path.clone().unwrap_or_default(),
        }),
        attestors: it.attestors.iter().map(to_attestor).collect(),
        matches: it.matches.iter().map(to_match).collect(),
        misses: it.misses.iter().map(to_miss).collect(),
        further_misses: count(it.further_misses),
        standing: Some(proto::Standing {
            entries: count(it.entries),
            last_sync: time::optional_seconds(it.last_sync),
            sync_failure: it.sync_failure.clone().unwrap_or_default(),
        }),
    }
}

fn to_attestor(it: &ExplainedAttestor) -> proto::Attestor {
    let (selectors, failure) = match &it.found {
        Ok(selectors) => (id::to_selectors(selectors), String::new()),
        Err(failure) => (Vec::new(), failure.clone()),
    };
    let took_milliseconds = i64::try_from(it.took.as_millis()).unwrap_or(i64::MAX);
    proto::Attestor { name: it.name.clone(), selectors, failure, took_milliseconds }
}

fn to_match(it: &ExplainedMatch) -> proto::Match {
    let (served, obstacle) = match &it.served {
        Ok(svid) => (Some(svid), String::new()),
        Err(obstacle) => (None, obstacle.clone()),
    };
    proto::Match {
        entry_id: it.entry.to_string(),
        spiffe_id: Some(id::to_spiffe_id(&it.spiffe_id)),
        hint: it.hint.clone(),
        expires_at: time::optional_seconds(served.map(|svid| svid.expires_at)),
        renews_at: time::optional_seconds(served.and_then(|svid| svid.renews_at)),
        obstacle,
    }
}

fn to_miss(it: &ExplainedMiss) -> proto::Miss {
    proto::Miss {
        entry_id: it.entry.to_string(),
        spiffe_id: Some(id::to_spiffe_id(&it.spiffe_id)),
        lacking: id::to_selectors(&it.lacking),
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(crate) fn explanation(it: proto::ExplainProcessResponse) -> Result<Explanation, WireError> {
    let process = it.process.ok_or(WireError::Missing("process"))?;
    let standing = it.standing.ok_or(WireError::Missing("standing"))?;
    Ok(Explanation {
        summary: it.summary,
        process: ExplainedProcess {
            pid: process.pid,
            uid: process.uid,
            gid: process.gid,
            path: non_empty(process.path),
        },
        attestors: it.attestors.into_iter().map(attestor).collect::<Result<_, _>>()?,
        matches: it.matches.into_iter().map(matched).collect::<Result<_, _>>()?,
        misses: it.misses.into_iter().map(missed).collect::<Result<_, _>>()?,
        further_misses: usize::try_from(it.further_misses).unwrap_or(usize::MAX),
        entries: usize::try_from(standing.entries).unwrap_or(usize::MAX),
        last_sync: time::optional_instant("last_sync", standing.last_sync)?,
        sync_failure: non_empty(standing.sync_failure),
    })
}

fn attestor(it: proto::Attestor) -> Result<ExplainedAttestor, WireError> {
    let found: Result<SelectorSet, String> = match non_empty(it.failure) {
        None => Ok(id::any_selectors(it.selectors)?),
        Some(failure) => Err(failure),
    };
    let took = u64::try_from(it.took_milliseconds)
        .map_err(|_| WireError::Negative { field: "took_milliseconds", value: it.took_milliseconds })?;
    Ok(ExplainedAttestor { name: it.name, found, took: Duration::from_millis(took) })
}

fn matched(it: proto::Match) -> Result<ExplainedMatch, WireError> {
    let served = match non_empty(it.obstacle) {
        Some(obstacle) => Err(obstacle),
        None => Ok(ExplainedSvid {
            expires_at: time::instant("expires_at", it.expires_at)?,
            renews_at: time::optional_instant("renews_at", it.renews_at)?,
        }),
    };
    let entry = entry::id(&it.entry_id)?;
    Ok(ExplainedMatch { entry, spiffe_id: id::spiffe_id("spiffe_id", it.spiffe_id)?, hint: it.hint, served })
}

fn missed(it: proto::Miss) -> Result<ExplainedMiss, WireError> {
    Ok(ExplainedMiss {
        entry: entry::id(&it.entry_id)?,
        spiffe_id: id::spiffe_id("spiffe_id", it.spiffe_id)?,
        lacking: id::any_selectors(it.lacking)?,
    })
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
