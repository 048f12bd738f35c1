#include "binding/collective_wrap.h"

#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "core/error.h"

namespace st::binding {
namespace {

constexpr napi_type_tag kTag = {0x2c4d8e1fb07a4b63, 0x8f15d9a26c3e7b91};

}  // namespace

Napi::Function CollectiveWrap::define(Napi::Env env) {
  return DefineClass(env, "Collective",
                     {
                         InstanceMethod<&CollectiveWrap::join>("join"),
                         InstanceMethod<&CollectiveWrap::exchange>("exchange"),
                         InstanceMethod<&CollectiveWrap::leave>("leave"),
                     });
}

CollectiveWrap::CollectiveWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CollectiveWrap>(info) {
  throwing(info.Env(), [&] {
    const Fields fields(
        info[0], "spec",
        {"rank", "size", "host", "port", "hosted", "prefix", "interface", "joinSeconds", "timeoutSeconds"});
    CollectiveSpec& spec = member_->spec;
    spec.rank = to_integer(fields.get("rank"), "spec.rank", 0);
    spec.size = to_integer(fields.get("size"), "spec.size", 1);
    spec.host = fields.string("host");
    spec.port = to_integer(fields.get("port"), "spec.port", 1);
    spec.hosted = fields.boolean("hosted", false);
    spec.prefix = fields.string("prefix");
    if (fields.has("interface")) spec.interface = fields.string("interface");
    spec.join_seconds = fields.number("joinSeconds");
    spec.timeout_seconds = fields.number("timeoutSeconds");
    info.This().As<Napi::Object>().TypeTag(&kTag);
  });
}

CollectiveWrap::~CollectiveWrap() {
  Executor::instance().release(std::move(member_));
}

const std::shared_ptr<Collective>& CollectiveWrap::joined(const Member& member) {
  check(member.ranks != nullptr, "ERR_INVALID_ARGUMENT", "This process has not joined the others, or has left them");
  return member.ranks;
}

std::shared_ptr<Collective> CollectiveWrap::unwrap(Napi::Value value, const std::string& field) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) wrong_type(field, "a Collective", value);
  return joined(*Napi::ObjectWrap<CollectiveWrap>::Unwrap(value.As<Napi::Object>())->member_);
}

Napi::Value CollectiveWrap::join(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    return Environment::of(info.Env()).enqueue({}, [member = member_] {
      member->ranks = Collective::join(member->spec);
    });
  });
}

Napi::Value CollectiveWrap::exchange(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto texts = std::make_shared<std::vector<std::string>>();
    return Environment::of(info.Env())
        .enqueue(
            {},
            [member = member_, texts, text = to_string(info[0], "text")] { *texts = joined(*member)->exchange(text); },
            [texts](Napi::Env env) -> Napi::Value {
              auto array = Napi::Array::New(env, texts->size());
              for (uint32_t i = 0; i < texts->size(); ++i) array[i] = (*texts)[i];
              return array;
            });
  });
}

Napi::Value CollectiveWrap::leave(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    return Environment::of(info.Env()).enqueue({}, [member = member_, why = to_string(info[0], "why")] {
      if (member->ranks == nullptr) return;
      member->ranks->leave(why);
      member->ranks.reset();
    });
  });
}

}  // namespace st::binding
