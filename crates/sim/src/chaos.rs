//! What goes wrong, when, and to whom.

use crate::disk::Mishap;
use crate::fault::Fault;
use crate::member;
use crate::network::Weather;
use crate::subject::Subject;
use crate::topology::{self, Cuts};
use crate::world::{Ending, Occasion, Phase, World, id};
use replica::{Event, Token};
use std::time::Duration;

impl<P: Subject> World<P> {
    pub(crate) fn schedule_chaos(&mut self) {
        let gap = self.plan.gap;
        let after = self.chance.between(gap / 10, gap * 2);
        self.after(after, Occasion::Chaos);
    }

    /// One more thing goes wrong.
    pub(crate) fn on_chaos(&mut self) {
        if self.phase != Phase::Chaos {
            return;
        }
        let at = self.chance.below(self.plan.enabled.len() as u64) as usize;
        let fault = self.plan.enabled[at];
        match fault {
            Fault::Drop | Fault::Duplicate | Fault::Reorder | Fault::Delay => self.worsen_weather(fault),
            Fault::OneWay | Fault::Partition | Fault::Bridge | Fault::Ring | Fault::IsolateLeader | Fault::Flapping => {
                self.part(fault);
            }
            Fault::Reset => self.reset(),
            Fault::Kill | Fault::PowerFailure | Fault::CrashLoop => self.end_process(fault),
            Fault::CrashInWrite => self.interrupt_writes(),
            Fault::CrashInRecovery => self.interrupt_recovery(),
            Fault::RestartAll => self.restart_all(),
            Fault::Pause => self.pause_one(),
            Fault::Wipe => self.wipe_one(),
            Fault::Rot => self.damage_one(),
            Fault::FailedSync => self.spoil_disk(Mishap::Sync),
            Fault::FailedWrite => self.spoil_disk(Mishap::Write),
            Fault::FailedRead => self.spoil_disk(Mishap::Read),
            Fault::SlowDisk | Fault::StuckSync => self.slow_disk(fault),
            Fault::ClockDrift | Fault::ClockJump | Fault::ClockFreeze => self.bend_clock(fault),
            Fault::Transfer => {
                let times = [0, 3, 12][self.chance.below(3) as usize];
                self.on_fault_ends(Ending::TransferAgain(times));
            }
            // It shows when a process dies.
            Fault::Late | Fault::LostWrites | Fault::LostName => {}
        }
        self.schedule_chaos();
    }

    fn any_member(&mut self) -> usize {
        // Leaders are the more interesting victims.
        match self.leader() {
            Some(leader) if self.chance.one_in(1, 3) => leader,
            _ => self.chance.below(self.members.len() as u64) as usize,
        }
    }

    fn any_living(&mut self) -> Option<usize> {
        let member = self.any_member();
        self.members[member].process.is_some().then_some(member)
    }

    fn span(&mut self, low: u64, high: u64) -> Duration {
        self.chance.between(Duration::from_millis(low), Duration::from_millis(high))
    }

    fn worsen_weather(&mut self, fault: Fault) {
        let members = self.members.len();
        let everywhere = self.chance.one_in(1, 2);
        let one = self.any_member();
        let paths: Cuts = (0..members)
            .flat_map(|a| (0..members).map(move |b| (a, b)))
            .filter(|&(a, b)| a != b && (everywhere || a == one || b == one))
            .collect();
        let rate = [2_000, 30_000, 300_000][self.chance.below(3) as usize];
        for &(from, to) in &paths {
            let weather = &mut self.network.path_mut(from, to).weather;
            match fault {
                Fault::Drop => weather.drop = rate,
                Fault::Duplicate => weather.duplicate = rate,
                Fault::Reorder => weather.reorder = rate,
                _ => weather.tail = rate,
            }
        }
        self.trace.note(self.now, 16, || format!("** bad weather: {fault}, {rate} in a million, on {} paths", paths.len()));
        let span = self.span(200, 10_000);
        self.after(span, Occasion::FaultEnds(Ending::Clear(paths)));
    }

    fn part(&mut self, fault: Fault) {
        let members = self.members.len();
        let one = self.any_member();
        let cuts = match fault {
            Fault::OneWay => topology::one_way(members, &mut self.chance),
            Fault::Bridge => topology::bridge(members, &mut self.chance),
            Fault::Ring => topology::ring(members),
            Fault::IsolateLeader => topology::isolate(members, self.leader().unwrap_or(one), &mut self.chance),
            _ => topology::partition(members, &mut self.chance),
        };
        if cuts.is_empty() {
            return;
        }
        self.fault(fault, || format!("nothing passes {}", pairs(&cuts)));
        self.cut(&cuts);
        let ending = match fault {
            Fault::Flapping => Ending::Flap { cuts, left: 2 + self.chance.below(10) as u32, cut: true },
            _ => Ending::Mend(cuts),
        };
        let span = if fault == Fault::Flapping { self.span(20, 1_500) } else { self.span(50, 12_000) };
        self.after(span, Occasion::FaultEnds(ending));
    }

    fn reset(&mut self) {
        let members = self.members.len() as u64;
        let (one, other) = (self.chance.below(members) as usize, self.chance.below(members) as usize);
        if one != other {
            self.fault(Fault::Reset, || format!("between m{} and m{}", one + 1, other + 1));
            P::reset(self, one, other);
        }
    }

    fn end_process(&mut self, fault: Fault) {
        let Some(member) = self.any_living() else { return };
        self.fault(fault, || format!("m{}", member + 1));
        if fault == Fault::CrashLoop {
            self.members[member].crash_loop = 2 + self.chance.below(6) as u32;
        }
        self.crash(member, fault != Fault::Kill);
    }

    fn interrupt_writes(&mut self) {
        let Some(member) = self.any_living() else { return };
        let operations = 1 + self.chance.below(25);
        self.members[member].disk.crash_after(operations);
    }

    fn interrupt_recovery(&mut self) {
        let Some(member) = self.any_living() else { return };
        self.members[member].interrupt_recovery = true;
        self.fault(Fault::PowerFailure, || format!("m{}, and again while it recovers", member + 1));
        self.crash(member, true);
    }

    fn restart_all(&mut self) {
        // Seldom, or nothing else would happen.
        if !self.chance.one_in(1, 3) {
            return;
        }
        let power = self.chance.one_in(3, 4);
        self.fault(Fault::RestartAll, || (if power { "the power fails everywhere" } else { "all are killed" }).to_owned());
        for member in 0..self.members.len() {
            if self.members[member].process.is_some() {
                self.crash(member, power);
            }
        }
    }

    fn pause_one(&mut self) {
        let Some(member) = self.any_living() else { return };
        let high = [100, 3_000, 60_000][self.chance.below(3) as usize];
        let span = self.span(10, high);
        if !self.members[member].paused {
            self.fault(Fault::Pause, || format!("m{} stands still for {} ms", member + 1, span.as_millis()));
            self.pause(member, span);
        }
    }

    fn wipe_one(&mut self) {
        let Some(member) = self.victim() else { return };
        self.fault(Fault::Wipe, || format!("m{}", member + 1));
        self.members[member].fate = member::Fate::Gone;
        self.crash(member, true);
        self.members[member].disk.wipe();
        let pause = P::wiped_may_return(&self.plan.config);
        if pause.is_some() {
            self.members[member].damaged = true;
            self.ghost.borrow_mut().emptied(member);
        } else {
            self.members[member].wiped = true;
            self.ghost.borrow_mut().wiped(member);
        }
        // Where it may not return it is started all the same, and has to notice.
        let after = pause.unwrap_or(Duration::ZERO) + self.span(5, 3_000);
        self.members[member].fate = member::Fate::Fine;
        self.after(after, Occasion::Start { member });
    }

    /// A member whose disk may still suffer: at most so many as are a minority of those who count.
    fn victim(&mut self) -> Option<usize> {
        let member = self.any_member();
        let it = &self.members[member];
        let fine = it.joined && it.is_sound() && !self.victims.contains(&member);
        // Some of them late.
        if !fine || self.victims.len() >= (self.members.len() - self.plan.observers - 1) / 2 || self.chance.one_in(1, 2) {
            return None;
        }
        self.victims.push(member);
        Some(member)
    }

    fn damage_one(&mut self) {
        let Some(member) = self.victim() else { return };
        self.crash(member, true);
        if P::KEEPS_FILES && self.chance.one_in(1, 2) {
            if self.members[member].disk.rot_in("data/") {
                self.fault(Fault::Rot, || format!("m{}, beside its log", member + 1));
                self.members[member].rotten = true;
            }
            return;
        }
        if self.members[member].disk.rot() {
            self.fault(Fault::Rot, || format!("m{}", member + 1));
            self.members[member].damaged = true;
            self.ghost.borrow_mut().damaged(member);
        }
    }

    fn spoil_disk(&mut self, mishap: Mishap) {
        if let Some(member) = self.any_living() {
            self.members[member].disk.let_fail(mishap);
        }
    }

    fn slow_disk(&mut self, fault: Fault) {
        let Some(member) = self.any_living() else { return };
        if fault == Fault::StuckSync {
            let span = self.span(300, 8_000);
            self.fault(fault, || format!("m{}'s next sync takes {} ms", member + 1, span.as_millis()));
            self.members[member].stuck = span;
        } else {
            self.fault(fault, || format!("m{}", member + 1));
            self.members[member].sync = (Duration::from_millis(20), Duration::from_millis(400));
            let span = self.span(500, 10_000);
            self.after(span, Occasion::FaultEnds(Ending::FastDisk(member)));
        }
    }

    fn bend_clock(&mut self, fault: Fault) {
        let member = self.any_member();
        self.fault(fault, || format!("m{}", member + 1));
        let now = self.now;
        match fault {
            Fault::ClockJump => {
                let ahead = self.span(10, 5_000);
                self.members[member].clock.jump(now, ahead);
            }
            Fault::ClockFreeze => self.members[member].clock.set_rate(now, 0),
            _ => {
                let rate = 300_000 + self.chance.below(2_700_000);
                self.members[member].clock.set_rate(now, rate);
            }
        }
        self.clock_changed(member);
        let span = self.span(100, 6_000);
        self.after(span, Occasion::FaultEnds(Ending::FairClock(member)));
    }

    fn clock_changed(&mut self, member: usize) {
        self.members[member].wake_at = consensus::Instant::NEVER;
        self.schedule_wake(member);
    }

    fn transfer(&mut self) {
        let Some(member) = self.leader().filter(|&leader| !self.members[leader].paused) else { return };
        // Back to who led before is the hardest: what was on its way to it then may arrive now.
        let before = self.ghost.borrow().leaders.values().rev().map(|&(led, _)| led).find(|&led| led != id(member));
        let anybody = self.chance.below(self.members.len() as u64 + 1) as usize;
        let to = match before {
            Some(before) if self.chance.one_in(1, 2) => Some(before),
            _ => (anybody < self.members.len()).then(|| id(anybody)),
        };
        let token = Token(self.next_transfer);
        self.next_transfer -= 1;
        let heir = to.map_or("whoever is furthest ahead".to_owned(), |to| format!("m{to}"));
        self.fault(Fault::Transfer, || format!("m{} is to hand over to {heir}", member + 1));
        self.feed(member, Event::TransferLeadership { token, to });
    }

    /// What went wrong ends, unless everything was mended before.
    pub(crate) fn on_fault_ends(&mut self, ending: Ending) {
        if self.phase != Phase::Chaos {
            return;
        }
        match ending {
            Ending::Mend(cuts) => self.mend(&cuts),
            Ending::Flap { cuts, left, cut } => {
                if cut {
                    self.mend(&cuts);
                } else {
                    self.cut(&cuts);
                }
                if left > 0 || !cut {
                    let span = self.span(20, 1_500);
                    self.after(span, Occasion::FaultEnds(Ending::Flap { cuts, left: left.saturating_sub(1), cut: !cut }));
                }
            }
            Ending::Clear(paths) => {
                for (from, to) in paths {
                    let fair: Weather = self.plan.fair;
                    self.network.path_mut(from, to).weather = fair;
                }
            }
            Ending::FastDisk(member) => self.members[member].sync = self.plan.sync,
            Ending::FairClock(member) => self.mend_clock(member),
            Ending::TransferAgain(left) => {
                self.transfer();
                if left > 0 {
                    let span = self.span(5, 300);
                    self.after(span, Occasion::FaultEnds(Ending::TransferAgain(left - 1)));
                }
            }
        }
    }

    /// Nothing passes these paths any more.
    pub(crate) fn cut(&mut self, cuts: &Cuts) {
        for &(from, to) in cuts {
            self.network.cut(from, to);
            P::on_cut(self, from, to);
        }
    }

    fn mend(&mut self, cuts: &Cuts) {
        for &(from, to) in cuts {
            self.network.mend(from, to);
        }
        if !cuts.is_empty() {
            self.trace.note(self.now, 17, || format!("** mended: {}", pairs(cuts)));
        }
    }

    pub(crate) fn mend_clock(&mut self, member: usize) {
        let now = self.now;
        self.members[member].clock.set_rate(now, 1_000_000);
        self.clock_changed(member);
    }
}

fn pairs(cuts: &Cuts) -> String {
    cuts.iter().map(|(from, to)| format!("m{}→m{}", from + 1, to + 1)).collect::<Vec<_>>().join(" ")
}
