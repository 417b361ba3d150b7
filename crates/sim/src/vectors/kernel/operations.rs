//! The operations of a recording, one function for a few that belong together.

use serde_json::{Value, json};

use super::actors::{No, Player, path};
use super::{Object, bytes, latin, text_of};
use crate::kernel::{
    AttachFlags, Caller, Errno, File, Fork, Inotify, Kernel, MountOptions, ProgramBody, ProgramId, ProgramKind,
    SIGKILL, SetMode, State,
};

/// What an operation answers beside 0: its other fields.
type Answer = Result<Vec<(&'static str, Value)>, No>;

fn done() -> Answer {
    Ok(Vec::new())
}

fn value(value: impl Into<Value>) -> Answer {
    Ok(vec![("v", value.into())])
}

impl Player {
    /// Does one step again; `None` for an operation that is not known.
    pub(crate) fn perform(&mut self, operation: &str, step: &Object) -> Option<Object> {
        let answer = match operation {
            "snap" => {
                self.kernel.check_invariants();
                let level = text_of(step, "lvl").unwrap_or("core");
                return Some(Object::from_iter([("s".to_owned(), self.snapshot(level))]));
            }
            "mkdir" | "rmdir" | "rename" | "creat" | "unlink" | "symlink" | "link" => self.directory(operation, step),
            "write" | "read" | "readkey" | "ls" => self.content(operation, step),
            "access" | "stat" | "chown" | "chmod" => self.attributes(operation, step),
            "xset" | "xget" | "xrm" | "xlist" => self.xattr(operation, step),
            "spawn" | "fork" | "thread" | "fdspawn" => self.begin(operation, step),
            "texit" | "kill" | "reap" | "wait" | "state" | "alloc" => self.life_and_death(operation, step),
            "move" | "where" | "unshare" | "opendev" | "remount" => self.place(operation, step),
            "open" | "fdread" | "fdwrite" | "fdmove" | "fdclose" => self.descriptor(operation, step),
            "watch" | "check" => self.watch(operation, step),
            "bpfload" | "bpfattach" | "bpfdetach" | "bpfquery" => self.program(operation, step),
            _ => return None,
        };
        Some(match answer {
            Ok(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value));
                fields.chain([("r".to_owned(), json!(0))]).collect()
            }
            Err(no) => Object::from_iter([("r".to_owned(), no.name().into())]),
        })
    }

    fn directory(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        let name = bytes(text_of(step, "f").unwrap_or("."));
        match operation {
            "mkdir" => self.mkdir(&who, &path(step, "g"))?,
            "rmdir" => self.rmdir(&who, &path(step, "g"))?,
            "rename" => self.kernel.rename(&who, &path(step, "g"), &path(step, "to"))?,
            "creat" => self.kernel.create(&who, self.cgroup(&who, step)?, &name)?,
            "symlink" => self.kernel.link(&who, self.cgroup(&who, step)?, &name)?,
            "link" => self.kernel.link(&who, self.cgroup(&who, step)?, &path(step, "to"))?,
            _ => {
                let (cgroup, file) = self.node(&who, step)?;
                self.kernel.unlink(&who, cgroup, file)?;
            }
        }
        done()
    }

    fn mkdir(&mut self, who: &Caller, path: &[u8]) -> Result<(), Errno> {
        let cut = path.iter().rposition(|byte| *byte == b'/').expect("paths are absolute");
        if path == b"/" {
            return Err(Errno::EEXIST);
        }
        let parent = self.kernel.lookup(who, &path[..cut])?;
        self.kernel.mkdir(who, parent, &path[cut + 1..]).map(drop)
    }

    fn rmdir(&mut self, who: &Caller, path: &[u8]) -> Result<(), Errno> {
        let not_a_directory = match self.kernel.lookup(who, path) {
            Ok(cgroup) => return self.kernel.rmdir(who, cgroup),
            Err(errno) if errno != Errno::ENOTDIR => return Err(errno),
            Err(errno) => errno,
        };
        // A file: the rights to the directory come first, as for unlinking.
        let cut = path.iter().rposition(|byte| *byte == b'/').expect("paths are absolute");
        let parent = self.kernel.lookup(who, &path[..cut])?;
        let unlinked = self.kernel.unlink(who, parent, File::from_name(&path[cut + 1..]));
        unlinked.map_err(|errno| if errno == Errno::EPERM { not_a_directory } else { errno })
    }

    fn content(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        if operation == "ls" {
            let names = self.kernel.list(&who, self.cgroup(&who, step)?)?;
            return value(names.iter().map(|name| latin(name)).collect::<Vec<_>>());
        }
        let (cgroup, file) = self.file(&who, step)?;
        if operation == "write" {
            self.kernel.write(&who, cgroup, file, &bytes(text_of(step, "d").unwrap_or("")))?;
            return done();
        }
        let text = self.kernel.read(&who, cgroup, file)?;
        match (operation, file) {
            _ if text_of(step, "how") == Some("result") => done(),
            _ if text_of(step, "how") == Some("keys") => {
                value(text.lines().map(|line| line.split(' ').next().unwrap_or("")).collect::<Vec<_>>())
            }
            ("readkey", _) => {
                let key = text_of(step, "key").unwrap_or("");
                let found = text.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key);
                value(found.map_or("", |(_, value)| value))
            }
            (_, File::CgroupProcs | File::CgroupThreads) => value(self.names_in(&text)),
            (_, File::CgroupStat) => value(text.split_inclusive('\n').next().unwrap_or("")),
            _ => value(text),
        }
    }

    fn attributes(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        let (cgroup, file) = self.node(&who, step)?;
        let number = |key| step.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        match operation {
            "access" => {
                let has = |letter| text_of(step, "m").unwrap_or("").contains(letter);
                self.kernel.access(&who, cgroup, file, has('r'), has('w'), has('x'))?;
            }
            "chown" => {
                let (uid, gid) = (number("uid").unwrap_or(0), number("gid").unwrap_or(0));
                self.kernel.chown(&who, cgroup, file, uid, gid)?;
            }
            "chmod" => {
                let mode = u16::from_str_radix(text_of(step, "mode").unwrap_or("0"), 8).expect("an octal mode");
                self.kernel.chmod(&who, cgroup, file, mode)?;
            }
            _ => {
                let stat = self.kernel.stat(cgroup, file)?;
                let kind = if file.is_none() { "dir" } else { "file" };
                return value(format!("{kind} {:04o} {} {}", stat.mode, stat.uid, stat.gid));
            }
        }
        done()
    }

    fn xattr(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        let (cgroup, file) = self.node(&who, step)?;
        let name = bytes(text_of(step, "x").unwrap_or(""));
        match operation {
            "xset" => {
                let mode = match text_of(step, "how") {
                    Some("create") => SetMode::Create,
                    Some("replace") => SetMode::Replace,
                    _ => SetMode::Any,
                };
                let data = bytes(text_of(step, "d").unwrap_or(""));
                self.kernel.set_xattr(&who, cgroup, file, &name, &data, mode)?;
            }
            "xget" => return value(latin(self.kernel.get_xattr(&who, cgroup, file, &name)?)),
            "xrm" => self.kernel.remove_xattr(&who, cgroup, file, &name)?,
            _ => {
                let names = self.kernel.list_xattrs(&who, cgroup, file)?;
                return value(latin(
                    &names.into_iter().flat_map(|name| [&name[..], b"\n"].concat()).collect::<Vec<_>>(),
                ));
            }
        }
        done()
    }

    /// Everybody is a child of the driver, so that the driver can reap all.
    fn begin(&mut self, operation: &str, step: &Object) -> Answer {
        let (creator, created) = match operation {
            "fork" => ("p", "c"),
            "thread" => ("p", "t"),
            _ => ("by", "p"),
        };
        let who = self.actor(step, creator)?;
        let name = text_of(step, created).unwrap_or("");
        if operation == "thread" {
            let tid = self.kernel.new_thread(&who, None)?;
            self.enrol(name, tid);
            return done();
        }
        let into = match (text_of(step, "into"), text_of(step, "h")) {
            (Some(_), _) => Some(self.kernel.lookup(&who, &path(step, "into"))?),
            (None, Some(name)) => {
                let descriptor = *self.descriptors.get(name).ok_or(Errno::EBADF)?;
                Some(self.kernel.descriptor_directory(descriptor)?)
            }
            (None, None) => None,
        };
        let user = Some((who.uid, who.gid));
        let pid = self.kernel.fork(&who, &Fork { into, user, child_of: Some(Kernel::INIT), ..Fork::default() })?;
        self.enrol(name, pid);
        done()
    }

    fn life_and_death(&mut self, operation: &str, step: &Object) -> Answer {
        let name = text_of(step, if operation == "texit" { "t" } else { "p" }).unwrap_or("");
        let pid = self.pid(name);
        match operation {
            "texit" => {
                if !self.kernel.can_act(pid) {
                    return Err(No::Word("INACTIVE"));
                }
                self.kernel.exit_thread(pid)?;
            }
            "kill" => self.kernel.kill(&Caller::INIT, pid, SIGKILL)?,
            "reap" => drop(self.kernel.reap(Kernel::INIT, pid)?),
            "wait" => {
                if !matches!(self.kernel.state(pid), Some(State::Zombie(_))) {
                    return Err(No::Word("STILL ALIVE"));
                }
            }
            "state" => return value(self.life(name)),
            _ => {
                self.actor(step, "p")?;
                let bytes = step.get("mib").and_then(Value::as_u64).unwrap_or(0) << 20;
                if !self.kernel.touch_memory(pid, bytes)? {
                    return Err(No::Word("KILLED"));
                }
            }
        }
        done()
    }

    fn place(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        let pid = self.pid(text_of(step, "p").unwrap_or(""));
        match operation {
            "move" => {
                let (cgroup, file) = self.file(&who, step)?;
                self.kernel.write(&who, cgroup, file, pid.to_string().as_bytes())?;
            }
            "where" => return value(latin(&self.kernel.proc_cgroup(&who, pid)?)),
            "unshare" => self.kernel.unshare_cgroup_namespace(&who)?,
            "opendev" => self.kernel.open_device(&who, &|_| 1)?,
            _ => {
                let nsdelegate = text_of(step, "opts").unwrap_or("-").split(',').any(|option| option == "nsdelegate");
                self.kernel.remount(MountOptions { nsdelegate, ..MountOptions::default() });
            }
        }
        done()
    }

    fn descriptor(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        let name = text_of(step, "h").unwrap_or("");
        if operation == "open" {
            let (cgroup, file) = self.node(&who, step)?;
            let mode = text_of(step, "m").unwrap_or("");
            let descriptor = self.kernel.open(&who, cgroup, file, mode == "r", mode == "w")?;
            self.descriptors.insert(name.to_owned(), descriptor);
            return done();
        }
        let descriptor = *self.descriptors.get(name).ok_or(Errno::EBADF)?;
        match operation {
            "fdread" => return value(self.kernel.read_descriptor(descriptor)?),
            "fdclose" => {
                self.kernel.close(descriptor)?;
                self.descriptors.remove(name);
            }
            "fdmove" => {
                let pid = self.pid(text_of(step, "p").unwrap_or(""));
                self.kernel.write_descriptor(&who, descriptor, pid.to_string().as_bytes())?;
            }
            _ => self.kernel.write_descriptor(&who, descriptor, &bytes(text_of(step, "d").unwrap_or("")))?,
        }
        done()
    }

    fn watch(&mut self, operation: &str, step: &Object) -> Answer {
        let who = self.actor(step, "by")?;
        let name = text_of(step, "w").unwrap_or("");
        if operation == "watch" {
            let (cgroup, file) = self.node(&who, step)?;
            let how = text_of(step, "how");
            let watch = self.kernel.watch(&who, cgroup, file, how != Some("noopen"))?;
            if how.is_none() && file.is_some() {
                self.kernel.read_watched(&who, watch)?;
            }
            self.watches.insert(name.to_owned(), watch);
            return done();
        }
        let check = self.kernel.check(&who, *self.watches.get(name).ok_or(Errno::EBADF)?);
        let kinds: Vec<&str> = check.events.iter().map(|kind| inotify_name(*kind)).collect();
        let text = check.text.unwrap_or_else(|errno| errno.name().to_owned());
        let priority = Value::from(check.priority);
        Ok(vec![("pri", priority.clone()), ("err", priority), ("in", kinds.into()), ("v", text.into())])
    }

    fn program(&mut self, operation: &str, step: &Object) -> Answer {
        let name = text_of(step, "b").unwrap_or("");
        let kind = if text_of(step, "type") == Some("skb") { ProgramKind::Ingress } else { ProgramKind::Device };
        if operation == "bpfload" {
            let verdict = step.get("ret").and_then(Value::as_u64).and_then(|value| u32::try_from(value).ok());
            let program = self.kernel.load_program(kind, ProgramBody::Returns(verdict.unwrap_or(0)));
            self.programs.insert(name.to_owned(), program);
            return done();
        }
        let cgroup = self.cgroup(&self.actor(step, "by")?, step)?;
        if operation == "bpfquery" {
            let (flags, programs) = match text_of(step, "how") {
                Some("effective") => (AttachFlags::default(), self.kernel.effective_programs(cgroup, kind)?),
                _ => self.kernel.attached_programs(cgroup, kind)?,
            };
            let number = u8::from(flags.overridable) + 2 * u8::from(flags.multi);
            let names: Vec<&str> = programs.iter().map(|program| self.program_name(*program)).collect();
            return Ok(vec![("attach_flags", number.into()), ("v", names.into())]);
        }
        let program = *self.programs.get(name).ok_or(Errno::EBADF)?;
        match operation {
            "bpfattach" => self.kernel.attach_program(cgroup, program, self.attach_flags(step)?)?,
            _ => self.kernel.detach_program(cgroup, program)?,
        }
        done()
    }

    fn attach_flags(&self, step: &Object) -> Result<AttachFlags, No> {
        let mut flags = AttachFlags::default();
        for flag in step.get("flags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            match flag.strip_prefix("replace:") {
                Some(name) => flags.replace = Some(*self.programs.get(name).ok_or(Errno::EBADF)?),
                None if flag == "multi" => flags.multi = true,
                None => flags.overridable = true,
            }
        }
        Ok(flags)
    }

    fn program_name(&self, program: ProgramId) -> &str {
        let mut names = self.programs.iter().filter(|(_, other)| **other == program);
        names.next().map_or("?", |(name, _)| name)
    }
}

fn inotify_name(kind: Inotify) -> &'static str {
    match kind {
        Inotify::Create => "CREATE",
        Inotify::Delete => "DELETE",
        Inotify::DeleteSelf => "DELETE_SELF",
        Inotify::Ignored => "IGNORED",
        Inotify::Modify => "MODIFY",
    }
}
