//! Questions about leases between members: who does not lead asks who does (Go's server/lease/leasehttp).
//!
//! A POST each, the bodies protobuf. What the leader refuses says why in a line of text, as Go's http.Error writes it; 404 is the
//! one refusal that is an answer: there is no such lease.

use super::super::lessor::{Lessor, NotHere, Question, Word};
use super::Shared;
use super::http::{full, request, whole_up_to};
use bytes::Bytes;
use etcd::pb::etcdserverpb as pb;
use etcd::pb::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use etcd::peer::http::{LEASES, LEASES_INTERNAL, PROTOBUF};
use etcd::url::Url;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use keyspace::LeaseAnswer;
use prost::Message;
use std::time::Duration;
use tokio::time::timeout;
use tracing::debug;

/// How long the asker is kept waiting while this member finds out whether it still leads.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read: a lease's keys are in it, which may be a million short ones.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Asks the member at `url`; `None` if it does not say.
pub(crate) async fn ask(shared: &Shared, url: &Url, question: Question) -> Option<Word> {
    match question {
        Question::Renew { id } => {
            let asked = pb::LeaseKeepAliveRequest { id };
            let renewed = |answer: pb::LeaseKeepAliveResponse| (answer.id == id).then_some(Word::Renewed(answer.ttl));
            post(shared, url, LEASES, asked.encode_to_vec(), renewed).await
        }
        Question::Look { id, keys } => {
            let asked = LeaseInternalRequest { lease_time_to_live_request: Some(pb::LeaseTimeToLiveRequest { id, keys }) };
            let looked = |answer: LeaseInternalResponse| answer.lease_time_to_live_response.filter(|a| a.id == id).map(lease);
            post(shared, url, LEASES_INTERNAL, asked.encode_to_vec(), looked).await
        }
    }
}

fn lease(answer: pb::LeaseTimeToLiveResponse) -> Word {
    let pb::LeaseTimeToLiveResponse { id, ttl, granted_ttl, keys, .. } = answer;
    Word::Lease(LeaseAnswer { id, granted_ttl, remaining_ttl: 0, left: Some(ttl), keys })
}

/// The word that an answer or a refusal stands for, if there is one.
async fn post<A: Message + Default>(
    shared: &Shared,
    url: &Url,
    path: &str,
    body: Vec<u8>,
    word: impl FnOnce(A) -> Option<Word>,
) -> Option<Word> {
    let answered = async {
        let mut request = request(Method::POST, url, path, full(body.into()))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        whole_up_to(ANSWER_BYTES_MAX, shared.client.ask(request).await?).await
    };
    let (head, body) = match answered.await {
        Ok(answer) => answer,
        Err(error) => {
            debug!(%url, path, %error, "could not ask the leader about a lease");
            return None;
        }
    };
    match head.status() {
        StatusCode::OK => A::decode(body).ok().and_then(word),
        StatusCode::NOT_FOUND => Some(Word::NoLease),
        // Go's leaders say so, too, after a second.
        StatusCode::REQUEST_TIMEOUT => Some(Word::Expired),
        status => {
            debug!(%url, path, %status, text = %String::from_utf8_lossy(&body).trim_end(), "the leader said nothing about a lease");
            None
        }
    }
}

/// What a member that asks is told: a body, or a refusal with its text.
pub(super) type Said = Result<Bytes, (StatusCode, &'static str)>;

const NOT_FOUND: (StatusCode, &str) = (StatusCode::NOT_FOUND, "lease not found\n");
const NOT_PRIMARY: &str = "not a primary lessor\n";
const UNREADABLE: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "error unmarshalling request\n");
const TIMED_OUT: (StatusCode, &str) =
    (StatusCode::REQUEST_TIMEOUT, "waiting for node to catch up its applied index has timed out\n");

/// Answers `/leases`.
pub(super) async fn renewed(body: Bytes, lessor: &Lessor) -> Said {
    let pb::LeaseKeepAliveRequest { id } = Message::decode(body).map_err(|_| UNREADABLE)?;
    match in_time(lessor, Question::Renew { id }, StatusCode::BAD_REQUEST).await? {
        Word::Renewed(ttl) => Ok(pb::LeaseKeepAliveResponse { header: None, id, ttl }.encode_to_vec().into()),
        // Go's members ask again upon this; an answer that waited for the end would keep others from asking.
        Word::Expired => Err(TIMED_OUT),
        _ => Err(NOT_FOUND),
    }
}

/// Answers `/leases/internal`.
pub(super) async fn looked(body: Bytes, lessor: &Lessor) -> Said {
    let asked = LeaseInternalRequest::decode(body).map_err(|_| UNREADABLE)?;
    let pb::LeaseTimeToLiveRequest { id, keys } = asked.lease_time_to_live_request.ok_or(UNREADABLE)?;
    let Word::Lease(lease) = in_time(lessor, Question::Look { id, keys }, StatusCode::INTERNAL_SERVER_ERROR).await? else {
        return Err(NOT_FOUND);
    };
    let LeaseAnswer { granted_ttl, left, keys, .. } = lease;
    let header = Some(pb::ResponseHeader::default());
    let answer = pb::LeaseTimeToLiveResponse { header, id, ttl: left.unwrap_or_default(), granted_ttl, keys };
    Ok(LeaseInternalResponse { lease_time_to_live_response: Some(answer) }.encode_to_vec().into())
}

async fn in_time(lessor: &Lessor, question: Question, not_primary: StatusCode) -> Result<Word, (StatusCode, &'static str)> {
    match timeout(PATIENCE, lessor.ask_here(question)).await {
        Ok(Ok(word)) => Ok(word),
        Ok(Err(NotHere::NotLeader)) => Err((not_primary, NOT_PRIMARY)),
        Ok(Err(NotHere::NoAnswer(_))) | Err(_) => Err(TIMED_OUT),
    }
}
