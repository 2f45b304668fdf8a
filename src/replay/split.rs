//! Splits a trace into one trace for each node.

use crate::trace::{Column, Columns};

/// The part of a trace that one node gets.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its requests, with objects numbered anew.
    pub trace: Columns,
    /// By new number: the object's number in the whole trace.
    pub objects: Vec<u32>,
    /// For each of the places that were asked about: how many requests of this part come before it.
    pub bounds: Vec<usize>,
}

/// Splits a trace by the node that owns each object. `places` are places in the trace that are to be
/// found again in the parts; they ascend. A request that follows another node's request is no longer
/// behind that: such a trace is for [`ClusterReplay`](super::ClusterReplay). Cost: a pass, and as much memory as the trace.
#[must_use]
pub fn split(trace: &Columns, owners: &[u16], nodes: usize, places: &[usize]) -> Vec<Part> {
    let mut parts = vec![Part::default(); nodes];
    let mut numbers = vec![u32::MAX; trace.objects as usize];
    let mut places = places.iter().copied().peekable();
    for (at, &id) in trace.ids.iter().enumerate() {
        while places.next_if(|&place| place <= at).is_some() {
            mark(&mut parts);
        }
        let part = &mut parts[usize::from(owners[id as usize])];
        let number = &mut numbers[id as usize];
        if *number == u32::MAX {
            *number = part.trace.objects;
            part.trace.objects += 1;
            part.objects.push(id);
        }
        part.trace.ids.push(*number);
        copy_columns(trace, at, &mut part.trace);
    }
    for _ in places {
        mark(&mut parts);
    }
    parts
}

fn mark(parts: &mut [Part]) {
    for part in parts {
        part.bounds.push(part.trace.ids.len());
    }
}

fn copy_columns(trace: &Columns, at: usize, part: &mut Columns) {
    let copy = |from: &Column, to: &mut Column| {
        if let Some(number) = from.get(at) {
            to.push(number);
        }
    };
    copy(&trace.sizes, &mut part.sizes);
    copy(&trace.ttls, &mut part.ttls);
    part.times.extend(trace.times.get(at));
    part.ops.extend(trace.ops.get(at));
    part.follows.extend(trace.follows.get(at));
}
