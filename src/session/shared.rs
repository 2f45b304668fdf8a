//! A world that several threads use in turn.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::World;
use crate::time::{Instant, Waited};

/// How long to wait for answers before an interrupt is looked for.
const A_WHILE: Duration = Duration::from_millis(50);

/// A world that the prompt and a server use, one at a time: each takes it, uses it, and gives it back.
pub struct SharedWorld {
    place: Mutex<Place>,
    changed: Condvar,
    /// Called whenever the prompt has used it.
    wake: Box<dyn Fn() + Send + Sync>,
}

struct Place {
    /// `None` while a thread has it.
    world: Option<World>,
    /// How many threads want it.
    waiting: usize,
    /// How many threads wait for a change. Without one, none is woken: that takes a system call.
    asleep: usize,
    /// How often it was taken.
    turns: u64,
}

impl SharedWorld {
    /// Shares a world. `wake` is called after each use by the prompt; it must not wait.
    pub fn new(world: World, wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            place: Mutex::new(Place {
                world: Some(world),
                waiting: 0,
                asleep: 0,
                turns: 0,
            }),
            changed: Condvar::new(),
            wake: Box::new(wake),
        })
    }

    /// Takes the world; waits while another thread has it.
    pub fn take(&self) -> World {
        self.take_from(self.lock())
    }

    fn take_from(&self, mut place: MutexGuard<'_, Place>) -> World {
        place.waiting += 1;
        loop {
            if let Some(world) = place.world.take() {
                place.waiting -= 1;
                place.turns += 1;
                self.wake_all(&place);
                return world;
            }
            place = self.wait(place);
        }
    }

    /// Gives it back.
    pub fn give_back(&self, world: World) {
        let mut place = self.lock();
        place.world = Some(world);
        self.wake_all(&place);
    }

    fn wake_all(&self, place: &Place) {
        if place.asleep > 0 {
            self.changed.notify_all();
        }
    }

    /// Lets another thread use it, if one waits.
    fn give_way(&self, world: World) -> World {
        let mut place = self.lock();
        if place.waiting == 0 {
            return world;
        }
        let turn = place.turns;
        place.world = Some(world);
        self.wake_all(&place);
        while place.turns == turn {
            place = self.wait(place);
        }
        self.take_from(place)
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, mut place: MutexGuard<'a, Place>) -> MutexGuard<'a, Place> {
        place.asleep += 1;
        let woken = self.changed.wait(place);
        let mut place = woken.unwrap_or_else(PoisonError::into_inner);
        place.asleep -= 1;
        place
    }
}

/// The world as a session has it: its own, or one that is shared with a server.
///
/// A shared world is here only between [`WorldHandle::lock`] and [`WorldHandle::unlock`], except while
/// a command waits for real time to pass: then others have it.
pub struct WorldHandle {
    world: Option<World>,
    shared: Option<Arc<SharedWorld>>,
}

impl From<World> for WorldHandle {
    fn from(world: World) -> Self {
        Self {
            world: Some(world),
            shared: None,
        }
    }
}

impl From<Arc<SharedWorld>> for WorldHandle {
    fn from(shared: Arc<SharedWorld>) -> Self {
        Self {
            world: None,
            shared: Some(shared),
        }
    }
}

impl WorldHandle {
    /// Takes the world, if it is shared.
    pub fn lock(&mut self) {
        if let (None, Some(shared)) = (&self.world, &self.shared) {
            self.world = Some(shared.take());
        }
    }

    /// Gives the world back, if it is shared.
    pub fn unlock(&mut self) {
        if let Some(shared) = &self.shared
            && let Some(world) = self.world.take()
        {
            shared.give_back(world);
            (shared.wake)();
        }
    }

    /// Between two commands: lets others use a shared world.
    #[inline]
    pub fn give_way(&mut self) {
        if let Some(shared) = &self.shared
            && let Some(world) = self.world.take()
        {
            (shared.wake)();
            self.world = Some(shared.give_way(world));
        }
    }

    /// Does something for which a shared world is not needed; others can use it meanwhile.
    pub fn without<T>(&mut self, action: impl FnOnce() -> T) -> T {
        let is_here = self.world.is_some();
        self.unlock();
        let result = action();
        if is_here {
            self.lock();
        }
        result
    }

    /// Waits for an answer that comes from outside of the world, until `until` or for a while. `false` at
    /// once if none is on its way.
    pub fn wait_for_answer(&mut self, until: Instant) -> bool {
        let now = self.now();
        if !self.backend.awaits_answers() || until <= now {
            return false;
        }
        let left = until.saturating_duration_since(now);
        self.backend.wait_for_answer(left.min(A_WHILE));
        true
    }

    /// Lets time pass until `until`, or an interrupt. Others can use a shared world meanwhile.
    pub fn wait_until(&mut self, until: Instant) -> Waited {
        let real = self.shared.as_ref().and_then(|_| self.clock.real());
        match real {
            Some(mut clock) => self.without(|| clock.wait_until(until)),
            None => self.clock.wait_until(until),
        }
    }
}

impl Deref for WorldHandle {
    type Target = World;

    fn deref(&self) -> &World {
        self.world.as_ref().expect("the world is locked")
    }
}

impl DerefMut for WorldHandle {
    fn deref_mut(&mut self) -> &mut World {
        self.world.as_mut().expect("the world is locked")
    }
}
