//! When checks run, and what one connection finds.

use super::*;
use crate::ir::Timeouts;

fn check(inter: u32, fastinter: Option<u32>) -> Check {
    let millis = |ms| Millis::new(ms).unwrap();
    Check { inter: millis(inter), fastinter: fastinter.map(millis), ..Check::default() }
}

#[test]
fn first_checks_are_spread_as_haproxy_spreads_them() {
    let slow = Global { max_spread_checks: Millis::new(400), ..Global::default() };
    let plain = Global::default();
    // Moments of the first checks in ms, observed on 2.6.12.
    for (global, checks, want) in [
        (&plain, vec![check(1000, None); 5], vec![0, 200, 400, 600, 800]),
        (&plain, vec![check(400, None); 4], vec![0, 100, 200, 300]), // nobody sets a pace: each its own
        (
            &plain,
            vec![check(1000, None), check(500, None), check(1000, None), check(3000, None)],
            vec![0, 250, 500, 2250],
        ),
        (&plain, vec![check(2000, Some(500)); 4], vec![0, 125, 250, 375]), // not checked yet: fastinter
        (&slow, vec![check(8000, None); 4], vec![0, 100, 200, 300]),
    ] {
        let paces = checks.iter().map(unchecked).filter(|inter| *inter >= PACE_FLOOR);
        let pace = paces.min().unwrap_or(0);
        let starts: Vec<u32> = checks
            .iter()
            .enumerate()
            .map(|(position, check)| first_after(global, check, pace, position, checks.len()).get())
            .collect();
        assert_eq!(starts, want, "{checks:?}");
    }
}

#[test]
fn the_time_limit_is_the_interval_unless_timeout_check_is_set() {
    let timeouts = |check, connect| Timeouts { check, connect, ..Timeouts::default() };
    let (short, long) = (Millis::new(300), Millis::new(3000));
    for (timeouts, want) in [
        (timeouts(None, short), 1000), // `timeout connect` alone does not count
        (timeouts(short, long), 1000),
        (timeouts(long, short), 300),
        (timeouts(short, None), 1000),
        (timeouts(None, None), 1000),
    ] {
        assert_eq!(probe::Limits::of(&timeouts, &check(1000, None)).connect.get(), want, "{timeouts:?}");
    }
}

#[test]
fn noise_stays_within_its_percentage_and_uses_it() {
    let mut noise = Noise::new(20);
    let times: Vec<u32> = (0..1000).map(|_| noise.applied_to(Millis::seconds(1)).get()).collect();
    assert!(times.iter().all(|time| (800..=1200).contains(time)));
    assert!(times.iter().any(|time| *time < 850) && times.iter().any(|time| *time > 1150));
    assert_eq!(Noise::new(0).applied_to(Millis::seconds(1)), Millis::seconds(1));
}

#[test]
fn due_checks_come_in_order_and_once() {
    let mut agenda = Agenda { tasks: Vec::new(), moments: vec![None; 3], dues: BinaryHeap::new() };
    for (task, at) in [(0, 30), (1, 10), (2, 20)] {
        agenda.put(task, Tick::from_millis(at));
    }
    let due =
        |agenda: &mut Agenda, at| std::iter::from_fn(|| agenda.take_due(Tick::from_millis(at))).collect::<Vec<_>>();
    assert!(due(&mut agenda, 9).is_empty());
    assert_eq!(due(&mut agenda, 20), [1, 2]);
    assert_eq!(agenda.next(), Some(Tick::from_millis(30)));
    assert_eq!(due(&mut agenda, 99), [0]);
    assert_eq!(agenda.next(), None);
    // one that is brought forward comes once
    agenda.put(1, Tick::from_millis(200));
    agenda.put(1, Tick::from_millis(150));
    assert_eq!((due(&mut agenda, 160), due(&mut agenda, 300)), (vec![1], vec![]));
}
