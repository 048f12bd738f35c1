#include "binding/trainer_wrap.h"

#include <optional>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/encoder_wrap.h"
#include "binding/environment.h"
#include "core/error.h"

namespace st::binding {
namespace {

Napi::Value from_report(Napi::Env env, const std::optional<StepReport>& report) {
  if (!report) return env.Undefined();
  auto object = Napi::Object::New(env);
  object["loss"] = report->loss;
  object["batches"] = static_cast<double>(report->batches);
  object["gradNorm"] = report->grad_norm;
  object["updates"] = static_cast<double>(report->updates);
  object["skipped"] = static_cast<double>(report->skipped);
  return object;
}

}  // namespace

Napi::Function TrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "Trainer",
                     {
                         InstanceMethod<&TrainerWrap::tensors>("tensors"),
                         InstanceMethod<&TrainerWrap::load>("load"),
                         InstanceMethod<&TrainerWrap::dump>("dump"),
                         InstanceMethod<&TrainerWrap::step>("step"),
                         InstanceMethod<&TrainerWrap::evaluate>("evaluate"),
                         InstanceMethod<&TrainerWrap::dispose>("dispose"),
                     });
}

TrainerWrap::TrainerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerWrap>(info) {
  throwing(info.Env(), [&] {
    auto encoder = EncoderWrap::unwrap(info[0], "encoder");
    trainer_ = std::make_shared<Trainer>(std::move(encoder), to_trainer_spec(info[1]));
  });
}

TrainerWrap::~TrainerWrap() {
  if (trainer_) Executor::instance().release(std::move(trainer_));
}

const std::shared_ptr<Trainer>& TrainerWrap::open() const {
  check(!disposed_, "ERR_DISPOSED", "The trainer was disposed of");
  return trainer_;
}

Napi::Value TrainerWrap::tensors(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value { return from_tensors(info.Env(), open()->tensors()); });
}

Napi::Value TrainerWrap::load(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    auto ranges = to_ranges(info[0], keep);
    return Environment::of(info.Env()).enqueue(keep, [trainer = open(), ranges = std::move(ranges)] {
      trainer->load(ranges);
    });
  });
}

Napi::Value TrainerWrap::dump(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    auto ranges = to_ranges(info[0], keep);
    return Environment::of(info.Env()).enqueue(keep, [trainer = open(), ranges = std::move(ranges)] {
      trainer->dump(ranges);
    });
  });
}

Napi::Value TrainerWrap::step(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    const StepOptions options = to_step_options(info[1]);
    auto report = std::make_shared<std::optional<StepReport>>();
    return Environment::of(info.Env())
        .enqueue(
            {},
            [trainer = open(), batch = std::move(batch), options, report] { *report = trainer->step(batch, options); },
            [report](Napi::Env env) { return from_report(env, *report); });
  });
}

Napi::Value TrainerWrap::evaluate(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    auto loss = std::make_shared<double>(0);
    return Environment::of(info.Env())
        .enqueue(
            {}, [trainer = open(), batch = std::move(batch), loss] { *loss = trainer->evaluate(batch); },
            [loss](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, *loss); });
  });
}

Napi::Value TrainerWrap::dispose(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    // A second call waits for the first, since jobs run in order.
    const bool again = std::exchange(disposed_, true);
    return Environment::of(info.Env()).enqueue({}, [trainer = trainer_, again] {
      if (!again) trainer->dispose();
    });
  });
}

}  // namespace st::binding
