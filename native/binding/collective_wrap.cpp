#include "binding/collective_wrap.h"

#include <ATen/ops/from_blob.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "core/device.h"
#include "core/error.h"

namespace st::binding {
namespace {

constexpr napi_type_tag kTag = {0x2c4d8e1fb07a4b63, 0x8f15d9a26c3e7b91};

}  // namespace

Napi::Function CollectiveWrap::define(Napi::Env env) {
  return DefineClass(env, "Collective",
                     {
                         InstanceMethod<&CollectiveWrap::join>("join"),
                         InstanceMethod<&CollectiveWrap::use_device>("useDevice"),
                         InstanceMethod<&CollectiveWrap::exchange>("exchange"),
                         InstanceMethod<&CollectiveWrap::share>("share"),
                         InstanceMethod<&CollectiveWrap::gather>("gather"),
                         InstanceMethod<&CollectiveWrap::sum>("sum"),
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

Napi::Value CollectiveWrap::use_device(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    return Environment::of(info.Env()).enqueue({}, [member = member_, device = to_string(info[0], "device")] {
      member->ranks = Collective::on_device(joined(*member), parse_device(device));
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

Napi::Value CollectiveWrap::share(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto shared = std::make_shared<std::string>();
    return Environment::of(info.Env())
        .enqueue(
            {},
            [member = member_, shared, text = to_string(info[0], "text")] {
              *shared = joined(*member)->share(text, 0);
            },
            [shared](Napi::Env env) -> Napi::Value { return Napi::String::New(env, *shared); });
  });
}

Napi::Value CollectiveWrap::gather(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto own = to_borrowed_bytes(info[0], "own");
    auto all = to_borrowed_bytes(info[1], "all");
    const auto bytes = static_cast<int64_t>(own.ByteLength());
    check(bytes > 0 && all.ByteLength() == own.ByteLength() * static_cast<size_t>(member_->spec.size),
          "ERR_INVALID_ARGUMENT", "Expected room for ", member_->spec.size, " times the bytes of `own` (", bytes,
          ", at least 1) but found ", all.ByteLength());
    return Environment::of(info.Env())
        .enqueue({own, all}, [member = member_, from = own.Data(), to = all.Data(), bytes] {
          const at::Tensor gathered = joined(*member)->all_gather(at::from_blob(from, {bytes}, at::kByte));
          std::memcpy(to, gathered.const_data_ptr(), static_cast<size_t>(gathered.numel()));
        });
  });
}

Napi::Value CollectiveWrap::sum(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto values = to_borrowed_floats(info[0], "values");
    const auto count = static_cast<int64_t>(values.ElementLength());
    check(count > 0, "ERR_INVALID_ARGUMENT", "Expected at least one number to sum");
    return Environment::of(info.Env()).enqueue({values}, [member = member_, data = values.Data(), count] {
      joined(*member)->all_reduce(at::from_blob(data, {count}, at::kFloat));
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
