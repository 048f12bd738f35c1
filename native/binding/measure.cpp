#include "binding/measure.h"

#include <memory>
#include <string>
#include <vector>

#include "binding/convert.h"
#include "binding/environment.h"
#include "core/profile.h"
#include "engine/machine.h"

namespace st::binding {

namespace {

Napi::Value from_profile(Napi::Env env, const Profile& profile) {
  auto parts = Napi::Array::New(env, profile.parts.size());
  for (uint32_t i = 0; i < parts.Length(); ++i) {
    const Profile::Part& part = profile.parts[i];
    auto object = Napi::Object::New(env);
    object["name"] = part.name;
    object["calls"] = static_cast<double>(part.calls);
    object["totalMs"] = part.total_ms;
    object["ownMs"] = part.own_ms;
    parts[i] = object;
  }
  auto events = Napi::Float64Array::New(env, 4 * profile.events.size());
  double* to = events.Data();
  for (const Profile::Event& event : profile.events) {
    *to++ = event.part;
    *to++ = event.thread;
    *to++ = event.start_us;
    *to++ = event.duration_us;
  }
  auto object = Napi::Object::New(env);
  object["wallMs"] = profile.wall_ms;
  object["parts"] = parts;
  object["events"] = events;
  object["dropped"] = static_cast<double>(profile.dropped);
  return object;
}

Napi::Value from_rates(Napi::Env env, const MachineRates& rates) {
  auto gemms = Napi::Array::New(env, rates.gemms.size());
  for (uint32_t i = 0; i < gemms.Length(); ++i) {
    const MachineRates::Gemm& gemm = rates.gemms[i];
    auto object = Napi::Object::New(env);
    object["dtype"] = gemm.dtype;
    object["m"] = static_cast<double>(gemm.m);
    object["k"] = static_cast<double>(gemm.k);
    object["n"] = static_cast<double>(gemm.n);
    object["gflops"] = gemm.gflops;
    object["ownGflops"] = gemm.own_gflops;
    gemms[i] = object;
  }
  auto object = Napi::Object::New(env);
  object["gemms"] = gemms;
  object["copyGBs"] = rates.copy_gbs;
  object["elementwiseGBs"] = rates.elementwise_gbs;
  object["geluNs"] = rates.gelu_ns;
  object["layerNormNs"] = rates.layer_norm_ns;
  object["dropoutNs"] = rates.dropout_ns;
  return object;
}

}  // namespace

Napi::Value start_profile(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), profile_start());
}

Napi::Value stop_profile(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&] { return from_profile(info.Env(), profile_stop()); });
}

Napi::Value measure(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const std::vector<std::string> dtypes = to_strings(info[0], "dtypes");
    if (!info[1].IsNumber()) wrong_type("seconds", "a number", info[1]);
    const double seconds = info[1].As<Napi::Number>().DoubleValue();
    if (!(seconds >= 0 && seconds <= 60)) wrong_type("seconds", "0 to 60", info[1]);
    auto rates = std::make_shared<MachineRates>();
    return Environment::of(info.Env())
        .enqueue(
            {}, [dtypes, seconds, rates] { *rates = measure_machine(dtypes, seconds); },
            [rates](Napi::Env env) { return from_rates(env, *rates); });
  });
}

}  // namespace st::binding
