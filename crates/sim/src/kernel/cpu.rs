//! The cpu controller: weights, nice values, quota, burst and clamps. Pure bookkeeping; nobody is scheduled.

use super::parse::{kstrtoll, kstrtoull, scan_decimal, scan_word, strip};
use super::{Errno, Kernel};

/// What one cgroup wishes; quota and burst in nanoseconds, period too.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Cpu {
    /// The scheduler's measure of weight: 1024 for weight 100.
    load: u64,
    idle: bool,
    quota: u64,
    period: u64,
    burst: u64,
    /// In hundredths of a percent.
    clamp_min: u64,
    clamp_max: u64,
}

const NO_QUOTA: u64 = u64::MAX;
const CLAMP_FULL: u64 = 10_000;

/// The longest quota or burst, in nanoseconds.
const RUNTIME_MAX: u64 = ((1 << 44) - 1) * 1000;

/// Load of nice -20 to 19, in which 1024 stands for weight 100.
const LOAD_OF_NICE: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501,
    1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];

impl Default for Cpu {
    fn default() -> Self {
        Self {
            load: 1024,
            idle: false,
            quota: NO_QUOTA,
            period: 100_000_000,
            burst: 0,
            clamp_min: 0,
            clamp_max: CLAMP_FULL,
        }
    }
}

impl Cpu {
    fn weight(&self, idle_weight: u64) -> u64 {
        if self.idle { idle_weight } else { (self.load * 100 + 512) / 1024 }
    }

    /// The nice value with the nearest load.
    fn nice(&self) -> i64 {
        let load = if self.idle { 0 } else { self.load };
        let mut last_distance = u64::MAX;
        for (position, candidate) in (0i64..).zip(LOAD_OF_NICE) {
            let distance = candidate.abs_diff(load);
            if distance >= last_distance {
                return position - 1 - 20;
            }
            last_distance = distance;
        }
        19
    }

    fn set_bandwidth(&mut self, quota: u64, period: u64, burst: u64) -> Result<(), Errno> {
        let limited = quota != NO_QUOTA;
        let short = (limited && quota < 1_000_000) || period < 1_000_000;
        let long = (limited && quota > RUNTIME_MAX) || period > 1_000_000_000;
        if short || long || limited && (burst > quota || burst + quota > RUNTIME_MAX) {
            return Err(Errno::EINVAL);
        }
        (self.quota, self.period, self.burst) = (quota, period, burst);
        Ok(())
    }
}

fn load_of_weight(weight: u64) -> u64 {
    (weight * 1024 + 50) / 100
}

impl Kernel {
    pub(super) fn write_cpu_weight(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let weight = kstrtoull(text)?;
        if !(1..=10_000).contains(&weight) {
            return Err(Errno::ERANGE);
        }
        self.set_load(index, load_of_weight(weight))
    }

    pub(super) fn write_cpu_weight_nice(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let place = usize::try_from(kstrtoll(text)?.saturating_add(20)).map_err(|_| Errno::ERANGE)?;
        let load = LOAD_OF_NICE.get(place).copied().ok_or(Errno::ERANGE)?;
        self.set_load(index, load)
    }

    fn set_load(&mut self, index: u32, load: u64) -> Result<(), Errno> {
        let cpu = &mut self.cgroups[index].cpu;
        if cpu.idle {
            return Err(Errno::EINVAL);
        }
        cpu.load = load;
        Ok(())
    }

    pub(super) fn write_cpu_idle(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let value = kstrtoll(text)?;
        if value != 0 && value != 1 {
            return Err(Errno::EINVAL);
        }
        let cpu = &mut self.cgroups[index].cpu;
        if cpu.idle != (value == 1) {
            (cpu.idle, cpu.load) = (value == 1, 1024);
        }
        Ok(())
    }

    pub(super) fn write_cpu_max(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        let (word, rest) = scan_word(text, 20).ok_or(Errno::EINVAL)?;
        let saturates = self.config.at_least(7, 2);
        let number =
            |text| scan_decimal(text).map(|(value, overflow, _)| if overflow && saturates { u64::MAX } else { value });
        let quota = match number(word) {
            Some(u64::MAX) if self.config.at_least(6, 17) => NO_QUOTA,
            Some(quota) => microseconds(quota),
            None if word == b"max" => NO_QUOTA,
            None => return Err(Errno::EINVAL),
        };
        let cpu = &mut self.cgroups[index].cpu;
        let period = number(rest).map_or(cpu.period, microseconds);
        cpu.set_bandwidth(quota, period, cpu.burst)
    }

    pub(super) fn write_cpu_max_burst(&mut self, index: u32, text: &[u8]) -> Result<(), Errno> {
        // What does not fit in nanoseconds is refused; there is no other bound without a quota.
        let burst = kstrtoull(text)?.checked_mul(1000).ok_or(Errno::EINVAL)?;
        let cpu = &mut self.cgroups[index].cpu;
        cpu.set_bandwidth(cpu.quota, cpu.period, burst)
    }

    pub(super) fn write_cpu_uclamp(&mut self, index: u32, upper: bool, text: &[u8]) -> Result<(), Errno> {
        let percent = parse_percent(strip(text))?;
        let cpu = &mut self.cgroups[index].cpu;
        *(if upper { &mut cpu.clamp_max } else { &mut cpu.clamp_min }) = percent;
        Ok(())
    }

    pub(super) fn show_cpu_weight(&self, index: u32) -> String {
        let idle_weight = u64::from(self.config.at_least(6, 12));
        format!("{}\n", self.cgroups[index].cpu.weight(idle_weight))
    }

    pub(super) fn show_cpu_weight_nice(&self, index: u32) -> String {
        format!("{}\n", self.cgroups[index].cpu.nice())
    }

    pub(super) fn show_cpu_idle(&self, index: u32) -> String {
        format!("{}\n", u8::from(self.cgroups[index].cpu.idle))
    }

    pub(super) fn show_cpu_max(&self, index: u32) -> String {
        let cpu = &self.cgroups[index].cpu;
        match cpu.quota {
            NO_QUOTA => format!("max {}\n", cpu.period / 1000),
            quota => format!("{} {}\n", quota / 1000, cpu.period / 1000),
        }
    }

    pub(super) fn show_cpu_max_burst(&self, index: u32) -> String {
        format!("{}\n", self.cgroups[index].cpu.burst / 1000)
    }

    pub(super) fn show_cpu_uclamp(&self, index: u32, upper: bool) -> String {
        let cpu = &self.cgroups[index].cpu;
        match if upper { cpu.clamp_max } else { cpu.clamp_min } {
            CLAMP_FULL => "max\n".to_owned(),
            percent => format!("{}.{:02}\n", percent / 100, percent % 100),
        }
    }
}

/// To nanoseconds, modulo 2^64 as the kernel multiplies.
fn microseconds(value: u64) -> u64 {
    value.wrapping_mul(1000)
}

/// `max` or a percentage with up to two decimals, in hundredths.
fn parse_percent(text: &[u8]) -> Result<u64, Errno> {
    if text == b"max" {
        return Ok(CLAMP_FULL);
    }
    let (whole, _, rest) = scan_decimal(text).ok_or(Errno::EINVAL)?;
    let fraction = rest.strip_prefix(b".").unwrap_or(b"");
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 2 {
        return Err(Errno::EINVAL);
    }
    let hundredths = scan_decimal(&fraction[..digits]).map_or(0, |(value, _, _)| value);
    let percent = whole.saturating_mul(100).saturating_add(if digits == 1 { hundredths * 10 } else { hundredths });
    if percent > CLAMP_FULL { Err(Errno::ERANGE) } else { Ok(percent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nice_and_weight_are_near_each_other() {
        let of = |weight| Cpu { load: load_of_weight(weight), ..Cpu::default() };
        assert_eq!([1, 50, 100, 10_000].map(|weight| of(weight).nice()), [19, 3, 0, -20]);
        for weight in 1..=10_000 {
            assert_eq!(of(weight).weight(0), weight, "every weight reads back");
        }
    }

    #[test]
    fn no_quota_is_too_large_to_be_refused() {
        let mut cpu = Cpu::default();
        for quota in [RUNTIME_MAX + 1, NO_QUOTA - 1] {
            assert_eq!(cpu.set_bandwidth(quota, 100_000_000, quota), Err(Errno::EINVAL));
        }
    }
}
