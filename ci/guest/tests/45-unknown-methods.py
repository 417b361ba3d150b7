# Methods, interfaces, objects and properties that do not exist, and arguments of other types.
import sys
sys.path.insert(0, "/payload/guest")
from lib import *

PROPERTIES = "org.freedesktop.DBus.Properties"
for bus in (Bus(), PeerBus()):
    refused("an unknown method", DBUS + ".UnknownMethod", manager, bus, "NoSuchMethod")
    refused("an unknown interface", DBUS + ".UnknownMethod", bus.call, ROOT, "org.example.None", "GetUnit", "s", ["x"])
    refused("wrong arguments", DBUS + ".InvalidArgs", manager, bus, "GetUnit", "u", [5])
    refused("no arguments", DBUS + ".InvalidArgs", manager, bus, "GetUnit")
    refused("too many arguments", DBUS + ".InvalidArgs", manager, bus, "GetUnit", "ss", ["a", "b"])
    refused("wrong arguments", DBUS + ".InvalidArgs", manager, bus, "StartTransientUnit", "ss", ["a.scope", "fail"])
    refused("an unknown property", DBUS + ".UnknownProperty", bus.call, ROOT, PROPERTIES, "Get", "ss", [MANAGER, "Nope"])
    refused("an unknown interface's property", DBUS + ".UnknownProperty",
            bus.call, ROOT, PROPERTIES, "Get", "ss", ["org.example.None", "Nope"])
    refused("a property that cannot be set", DBUS + ".PropertyReadOnly", bus.call, ROOT, PROPERTIES, "Set", "ssv",
            [MANAGER, "Version", {"s": "x"}])
    refused("a job that is not there", DBUS + ".UnknownObject", bus.call, ROOT + "/job/4000000", PROPERTIES, "Get", "ss",
            [SD + ".Job", "Id"])
    refused("an object that is not there", DBUS + ".UnknownObject", bus.call, "/org/example", PROPERTIES, "GetAll", "s",
            [MANAGER])
    # A unit path is answered for every well-formed name, also one that is not loaded.
    same("a unit that is not loaded", "not-found", prop(bus, "nosuch45.service", "LoadState"))
    same("its state", "inactive", prop(bus, "nosuch45.service", "ActiveState"))
    refused("a unit path that is no name", DBUS + ".InvalidArgs", bus.call, ROOT + "/unit/nosuch", PROPERTIES, "Get", "ss",
            [UNIT, "Id"])
answers("unknown methods")
