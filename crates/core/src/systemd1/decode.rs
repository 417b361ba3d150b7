//! From a method call to a request: find the object, the interface and the method, check the types, build the request.

use super::MethodCall;
use super::arguments::Call;
use super::objects::{Node, STANDARD};
use super::refusals;
use super::table::{Interface, Method, Serve};
use crate::error::{Refusal, RefusalKind};
use crate::request::Request;
use crate::value::Value;
use alloc::string::String;

/// Turns a method call into a request. Whether a unit or job of that path exists is found out later.
///
/// # Errors
/// `UnknownObject`, `UnknownMethod`, `InvalidArgs` for a wrong signature, `NotSupported` for what the arbiter leaves
/// out.
pub fn decode(call: MethodCall) -> Result<Request, Refusal> {
    let node = Node::at(&call.path).ok_or_else(|| refusals::unknown_object(&call.path))?;
    let (interface, method) = find(&node, call.interface.as_deref(), &call.member)?;
    serve(interface, method, Call { node, path: call.path, args: call.args })
}

/// The method on this object; without an interface, the first of that name.
fn find(node: &Node, interface: Option<&str>, member: &str) -> Result<(&'static Interface, &'static Method), Refusal> {
    let all = node.interfaces().iter().chain(&STANDARD);
    let mut candidates = all.filter(|candidate| interface.is_none_or(|name| name == candidate.name));
    let found = candidates.find_map(|candidate| Some((*candidate, candidate.method(member)?)));
    found.ok_or_else(|| refusals::unknown_method(interface, member))
}

fn serve(interface: &Interface, method: &Method, call: Call) -> Result<Request, Refusal> {
    if !method.input.fit(&call.args) {
        return Err(misfit(interface, method, &call.args));
    }
    match method.serve {
        Serve::Request(request) => request(call),
        Serve::Refuse { why, privileged: true } => Ok(Request::NotServed(refusals::not_served(method.name, why))),
        Serve::Refuse { why, privileged: false } => Err(refusals::not_served(method.name, why)),
        Serve::FrontEnd => Err(refusals::unknown_method(Some(interface.name), method.name)),
    }
}

fn misfit(interface: &Interface, method: &Method, args: &[Value]) -> Refusal {
    let text = match method.name {
        "Get" | "Set" => "Expected interface and member parameters",
        "GetAll" => "Expected interface parameter",
        "Introspect" => "Expected no parameters",
        _ => {
            let given: String = args.iter().map(Value::signature).collect();
            return refusals::invalid_arguments(interface.name, method.name, &given, &method.input.signature());
        }
    };
    Refusal::new(RefusalKind::InvalidArgs, text)
}
