#include "binding/tensors_wrap.h"

#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "binding/job.h"
#include "core/error.h"

namespace st::binding {
namespace {

constexpr napi_type_tag kTag = {0x6f1c2b7a54e94d10, 0x9a3be0c7d85f2461};

napi_typedarray_type type_of(Napi::Value value, const std::string& field) {
  if (!value.IsTypedArray()) wrong_type(field, "a typed array", value);
  return value.As<Napi::TypedArray>().TypedArrayType();
}

template <typename T>
HostArray copy(const Napi::Value& value) {
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  if (array.ElementLength() == 0) return std::vector<T>();
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

HostArray to_host_array(Napi::Value value, const std::string& field) {
  switch (type_of(value, field)) {
    case napi_float32_array:
      return copy<float>(value);
    case napi_float64_array:
      return copy<double>(value);
    case napi_int32_array:
      return copy<int32_t>(value);
    case napi_uint8_array:
      return copy<uint8_t>(value);
    default:
      wrong_type(field, "a Float32Array, Float64Array, Int32Array or Uint8Array", value);
  }
}

HostMemory to_host_memory(Napi::Value value, const std::string& field) {
  const auto memory = [&](auto array) { return HostMemory{array.Data(), static_cast<int64_t>(array.ElementLength())}; };
  switch (type_of(value, field)) {
    case napi_float32_array:
      return memory(to_borrowed_floats(value, field));
    case napi_int32_array:
      return memory(to_borrowed_integers(value, field));
    case napi_uint8_array:
      return memory(to_borrowed_bytes(value, field));
    case napi_float64_array:
      return memory(to_borrowed_doubles(value, field));
    default:
      wrong_type(field, "a Float32Array, Float64Array, Int32Array or Uint8Array", value);
  }
}

std::vector<TensorStep> to_steps(Napi::Value value) {
  if (!value.IsArray()) wrong_type("steps", "an array of operations", value);
  const auto array = value.As<Napi::Array>();
  std::vector<TensorStep> steps;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const std::string where = "steps[" + std::to_string(i) + "]";
    const Fields fields(array.Get(i), where, {"op", "out", "in", "options"});
    TensorStep step{fields.string("op"),
                    to_integer(fields.get("out"), where + ".out", 0),
                    to_numbers(fields.get("in"), where + ".in"),
                    {}};
    step.options =
        fields.has("options") ? to_options(fields.get("options"), where + ".options") : Config(Config::Object());
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace

Napi::Function TensorsWrap::define(Napi::Env env) {
  return DefineClass(env, "Tensors",
                     {
                         InstanceMethod<&TensorsWrap::run>("run"),
                         InstanceMethod<&TensorsWrap::read>("read"),
                         InstanceMethod<&TensorsWrap::backward>("backward"),
                         InstanceMethod<&TensorsWrap::count>("count"),
                     });
}

std::shared_ptr<TensorSpace> TensorsWrap::unwrap(Napi::Value value, const std::string& field) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) wrong_type(field, "a Tensors", value);
  return Unwrap(value.As<Napi::Object>())->space_;
}

TensorsWrap::TensorsWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<TensorsWrap>(info), space_(std::make_shared<TensorSpace>()) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

TensorsWrap::~TensorsWrap() {
  if (space_) Executor::instance().release(std::move(space_));
}

Napi::Value TensorsWrap::run(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto steps = to_steps(info[0]);
    if (!info[1].IsArray()) wrong_type("arrays", "an array of typed arrays", info[1]);
    const auto given = info[1].As<Napi::Array>();
    std::vector<HostArray> arrays;
    for (uint32_t i = 0; i < given.Length(); ++i) {
      arrays.push_back(to_host_array(given.Get(i), "arrays[" + std::to_string(i) + "]"));
    }
    return Environment::of(info.Env())
        .enqueue({}, [space = space_, steps = std::move(steps), arrays = std::move(arrays)]() mutable {
          space->run(steps, std::move(arrays));
        });
  });
}

Napi::Value TensorsWrap::read(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const int64_t id = to_integer(info[0], "id", 0);
    const HostMemory out = to_host_memory(info[1], "out");
    return Environment::of(info.Env()).enqueue({info[1]}, [space = space_, id, out] { space->read(id, out); });
  });
}

Napi::Value TensorsWrap::backward(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const int64_t id = to_integer(info[0], "id", 0);
    // It may go through a model, whose weights it only reads.
    const JobKind kind{.yields = true};
    return Environment::of(info.Env()).enqueue(kind, {}, [space = space_, id] { space->backward(id); });
  });
}

Napi::Value TensorsWrap::count(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto found = std::make_shared<int64_t>();
    return Environment::of(info.Env())
        .enqueue(
            {}, [space = space_, found] { *found = space->size(); },
            [found](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, static_cast<double>(*found)); });
  });
}

}  // namespace st::binding
