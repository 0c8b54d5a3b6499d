//! Who is in the cluster, as far as the log says.

use crate::{KeyspaceError, MemberChange, MembersAnswer};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// A member.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Its name; empty until it has started.
    pub name: String,
    /// Where peers find it.
    pub peer_urls: Vec<String>,
    /// Where clients find it; empty until it has started.
    pub client_urls: Vec<String>,
    /// It receives the log but is never counted.
    pub is_learner: bool,
}

/// How many learners a cluster may have at a time (etcd 3.5's maxLearners).
const MAX_LEARNERS: usize = 1;

/// The table of members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Members {
    present: BTreeMap<u64, Member>,
    removed: BTreeSet<u64>,
}

impl Members {
    pub(crate) fn from_parts(present: impl IntoIterator<Item = Member>, removed: BTreeSet<u64>) -> Members {
        Members { present: present.into_iter().map(|member| (member.id, member)).collect(), removed }
    }

    pub(crate) fn present(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.present.values()
    }

    pub(crate) fn removed(&self) -> &BTreeSet<u64> {
        &self.removed
    }

    pub(crate) fn answer(&self) -> MembersAnswer {
        MembersAnswer { members: self.present().cloned().collect(), removed: self.removed.iter().copied().collect() }
    }

    /// Carries out a change, or says why it is none. All members must judge alike, Go's included, or their configurations part:
    /// this is etcd 3.5's ValidateConfigurationChange, in its order.
    pub(crate) fn change(&mut self, change: MemberChange) -> Result<(), KeyspaceError> {
        self.validate(&change)?;
        match change {
            MemberChange::Add(member) => {
                self.present.insert(member.id, member);
            }
            MemberChange::Promote { id } => {
                if let Some(member) = self.present.get_mut(&id) {
                    member.is_learner = false;
                }
            }
            MemberChange::Update { id, peer_urls, is_learner } => {
                if let Some(member) = self.present.get_mut(&id) {
                    member.peer_urls = peer_urls;
                    member.is_learner = is_learner;
                }
            }
            MemberChange::Remove { id } => {
                self.present.remove(&id);
                self.removed.insert(id);
            }
        }
        Ok(())
    }

    /// Why a change would not be one.
    pub(crate) fn validate(&self, change: &MemberChange) -> Result<(), KeyspaceError> {
        let id = match change {
            MemberChange::Add(member) => member.id,
            MemberChange::Promote { id } | MemberChange::Update { id, .. } | MemberChange::Remove { id } => *id,
        };
        if self.removed.contains(&id) {
            return Err(KeyspaceError::MemberNotFound);
        }
        match (change, self.present.get(&id)) {
            (MemberChange::Add(_), Some(_)) => Err(KeyspaceError::MemberExists),
            (MemberChange::Add(member), None) => {
                if self.has_peer_url(&member.peer_urls, id) {
                    return Err(KeyspaceError::PeerUrlExists);
                }
                let learners = self.present().filter(|member| member.is_learner).count();
                if member.is_learner && learners >= MAX_LEARNERS {
                    return Err(KeyspaceError::TooManyLearners);
                }
                Ok(())
            }
            (_, None) => Err(KeyspaceError::MemberNotFound),
            (MemberChange::Promote { .. }, Some(member)) if !member.is_learner => Err(KeyspaceError::MemberNotLearner),
            (MemberChange::Update { peer_urls, .. }, Some(_)) if self.has_peer_url(peer_urls, id) => {
                Err(KeyspaceError::PeerUrlExists)
            }
            (_, Some(_)) => Ok(()),
        }
    }

    /// A member says its name and where clients find it. Of a removed member this is too late and means nothing. Of a stranger it
    /// cannot be: etcd's server would stop; here it means nothing, too.
    pub(crate) fn set_attributes(&mut self, id: u64, name: String, client_urls: Vec<String>) {
        if let Some(member) = self.present.get_mut(&id) {
            member.name = name;
            member.client_urls = client_urls;
        }
    }

    /// Whether a member other than `except` has one of these peer URLs.
    fn has_peer_url(&self, urls: &[String], except: u64) -> bool {
        self.present().any(|member| member.id != except && member.peer_urls.iter().any(|url| urls.contains(url)))
    }
}
