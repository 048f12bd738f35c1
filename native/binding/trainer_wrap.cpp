#include "binding/trainer_wrap.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding/convert.h"
#include "binding/encoder_wrap.h"
#include "binding/environment.h"
#include "binding/fields.h"
#include "binding/tensors_wrap.h"
#include "core/error.h"

namespace st::binding {
Napi::Function TrainerWrap::define(Napi::Env env) {
  return DefineClass(env, "Trainer",
                     {
                         InstanceMethod<&TrainerWrap::tensors>("tensors"),
                         InstanceMethod<&TrainerWrap::memory>("memory"),
                         InstanceMethod<&TrainerWrap::load>("load"),
                         InstanceMethod<&TrainerWrap::dump>("dump"),
                         InstanceMethod<&TrainerWrap::set_groups>("setGroups"),
                         InstanceMethod<&TrainerWrap::step>("step"),
                         InstanceMethod<&TrainerWrap::embed>("embed"),
                         InstanceMethod<&TrainerWrap::apply>("apply"),
                         InstanceMethod<&TrainerWrap::forward>("forward"),
                         InstanceMethod<&TrainerWrap::bind>("bind"),
                         InstanceMethod<&TrainerWrap::update>("update"),
                         InstanceMethod<&TrainerWrap::zero_gradients>("zeroGradients"),
                         InstanceMethod<&TrainerWrap::copy_weights>("copyWeights"),
                         InstanceMethod<&TrainerWrap::counters>("counters"),
                         InstanceMethod<&TrainerWrap::set_counters>("setCounters"),
                         InstanceMethod<&TrainerWrap::loss_scaler>("lossScaler"),
                         InstanceMethod<&TrainerWrap::set_loss_scaler>("setLossScaler"),
                         InstanceMethod<&TrainerWrap::evaluate>("evaluate"),
                         InstanceMethod<&TrainerWrap::dispose>("dispose"),
                     });
}

TrainerWrap::TrainerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TrainerWrap>(info) {
  throwing(info.Env(), [&] {
    auto encoder = EncoderWrap::unwrap(info[0], "encoder");
    encoder_ = encoder.get();
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

const std::shared_ptr<Trainer>& TrainerWrap::open_for_job() {
  const std::shared_ptr<Trainer>& trainer = open();
  has_jobs_ = true;
  return trainer;
}

JobKind TrainerWrap::short_job() const {
  return {.engine = encoder_};
}

JobKind TrainerWrap::long_job() const {
  return {.engine = encoder_, .yields = true};
}

Napi::Value TrainerWrap::tensors(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value { return from_tensors(info.Env(), open()->tensors()); });
}

Napi::Value TrainerWrap::memory(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value {
    const int64_t columns = to_integer(info[0], "columns", 1), rows = to_integer(info[1], "rows", 1);
    // Jobs change what it reads.
    const std::shared_ptr<Trainer>& trainer = open();
    check(!has_jobs_, "ERR_INVALID_ARGUMENT", "The memory of training is asked for before the first job of a trainer");
    const TrainingMemory memory = trainer->memory(columns, rows);
    auto object = Napi::Object::New(info.Env());
    object["fixed"] = static_cast<double>(memory.fixed);
    object["perToken"] = static_cast<double>(memory.per_token);
    object["perTokenRecomputed"] = static_cast<double>(memory.per_token_recomputed);
    object["loss"] = static_cast<double>(memory.loss);
    return object;
  });
}

Napi::Value TrainerWrap::load(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    auto ranges = to_ranges(info[0], keep);
    return Environment::of(info.Env())
        .enqueue(short_job(), keep, [trainer = open_for_job(), ranges = std::move(ranges)] { trainer->load(ranges); });
  });
}

Napi::Value TrainerWrap::dump(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    std::vector<Napi::Value> keep;
    auto ranges = to_ranges(info[0], keep);
    return Environment::of(info.Env())
        .enqueue(short_job(), keep, [trainer = open_for_job(), ranges = std::move(ranges)] { trainer->dump(ranges); });
  });
}

Napi::Value TrainerWrap::step(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    const StepOptions options = to_step_options(info[1]);
    auto report = std::make_shared<std::optional<StepReport>>();
    return Environment::of(info.Env())
        .enqueue(
            long_job(), {},
            [trainer = open_for_job(), batch = std::move(batch), options, report] {
              *report = trainer->step(batch, options);
            },
            [report](Napi::Env env) { return from_report(env, *report); });
  });
}

Napi::Value TrainerWrap::set_groups(const Napi::CallbackInfo& info) {
  return throwing(info.Env(), [&]() -> Napi::Value {
    if (!info[0].IsArray()) wrong_type("weightDecays", "an array of numbers", info[0]);
    const auto array = info[0].As<Napi::Array>();
    std::vector<double> weight_decays;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::Value value = array.Get(i);
      if (!value.IsNumber()) wrong_type("weightDecays[" + std::to_string(i) + "]", "a number", value);
      weight_decays.push_back(value.As<Napi::Number>().DoubleValue());
    }
    const Config given = to_options(info[1], "groups");
    std::map<std::string, int> groups;
    // A value outside int becomes one that is not a group.
    constexpr int64_t kMost = std::numeric_limits<int>::max();
    for (const auto& [name, value] : given.object()) {
      groups[name] = static_cast<int>(std::clamp<int64_t>(given.integer(name), -2, kMost));
    }
    // Refused on this thread once a job, also a queued one, may be reading them.
    const std::shared_ptr<Trainer>& trainer = open();
    check(!has_jobs_, "ERR_INVALID_ARGUMENT", "Groups are set before the first job of a trainer");
    trainer->set_groups(std::move(weight_decays), std::move(groups));
    return info.Env().Undefined();
  });
}

Napi::Value TrainerWrap::embed(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    Napi::Float32Array out = to_borrowed_floats(info[1], "out");
    const StepOptions options = to_step_options(info[2]);
    float* data = out.Data();
    const auto size = static_cast<int64_t>(out.ElementLength());
    return Environment::of(info.Env())
        .enqueue(long_job(), {out},
                 [trainer = open_for_job(), batch = std::move(batch), options, data, size]() mutable {
                   trainer->embed(std::move(batch), data, size, options);
                 });
  });
}

Napi::Value TrainerWrap::apply(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto external = to_external_loss(info[0]);
    const StepOptions options = to_step_options(info[1]);
    auto report = std::make_shared<std::optional<StepReport>>();
    return Environment::of(info.Env())
        .enqueue(
            long_job(), {},
            [trainer = open_for_job(), external = std::move(external), options, report] {
              *report = trainer->apply(external, options);
            },
            [report](Napi::Env env) { return from_report(env, *report); });
  });
}

Napi::Value TrainerWrap::forward(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    auto space = TensorsWrap::unwrap(info[1], "tensors");
    auto out = to_numbers(info[2], "out");
    const StepOptions options = to_step_options(info[3]);
    return Environment::of(info.Env())
        .enqueue(long_job(), {},
                 [trainer = open_for_job(), batch = std::move(batch), space = std::move(space), out = std::move(out),
                  options]() mutable { trainer->forward(std::move(batch), *space, out, options); });
  });
}

Napi::Value TrainerWrap::bind(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto space = TensorsWrap::unwrap(info[0], "tensors");
    const Config given = to_options(info[1], "parameters");
    std::map<std::string, int64_t> parameters;
    for (const auto& [name, value] : given.object()) parameters[name] = given.integer(name);
    return Environment::of(info.Env())
        .enqueue(short_job(), {},
                 [trainer = open_for_job(), space = std::move(space), parameters = std::move(parameters)] {
                   trainer->bind(*space, parameters);
                 });
  });
}

Napi::Value TrainerWrap::update(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const StepOptions options = to_step_options(info[0]);
    auto report = std::make_shared<std::optional<StepReport>>();
    return Environment::of(info.Env())
        .enqueue(
            long_job(), {}, [trainer = open_for_job(), options, report] { *report = trainer->update(options); },
            [report](Napi::Env env) { return from_report(env, *report); });
  });
}

Napi::Value TrainerWrap::zero_gradients(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    return Environment::of(info.Env()).enqueue(short_job(), {}, [trainer = open_for_job()] {
      trainer->zero_gradients();
    });
  });
}

Napi::Value TrainerWrap::copy_weights(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    return Environment::of(info.Env()).enqueue(short_job(), {}, [trainer = open_for_job()] {
      trainer->copy_weights();
    });
  });
}

Napi::Value TrainerWrap::evaluate(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto batch = to_batch(info[0]);
    const int64_t loss = info[1].IsUndefined() ? 0 : to_integer(info[1], "loss", 0);
    auto found = std::make_shared<Evaluation>();
    return Environment::of(info.Env())
        .enqueue(
            long_job(), {},
            [trainer = open_for_job(), batch = std::move(batch), loss, found] {
              *found = trainer->evaluate(batch, loss);
            },
            [found](Napi::Env env) -> Napi::Value {
              auto object = Napi::Object::New(env);
              object["loss"] = found->loss;
              object["components"] = from_numbers(env, found->components);
              return object;
            });
  });
}

Napi::Value TrainerWrap::counters(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto found = std::make_shared<std::vector<int64_t>>();
    return Environment::of(info.Env())
        .enqueue(
            short_job(), {}, [trainer = open_for_job(), found] { *found = trainer->counters(); },
            [found](Napi::Env env) -> Napi::Value {
              auto array = Napi::Array::New(env, found->size());
              for (uint32_t i = 0; i < found->size(); ++i) array[i] = static_cast<double>((*found)[i]);
              return array;
            });
  });
}

Napi::Value TrainerWrap::set_counters(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto counters = to_numbers(info[0], "counters");
    return Environment::of(info.Env())
        .enqueue(short_job(), {},
                 [trainer = open_for_job(), counters = std::move(counters)] { trainer->set_counters(counters); });
  });
}

Napi::Value TrainerWrap::loss_scaler(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    auto found = std::make_shared<std::optional<LossScaler::State>>();
    return Environment::of(info.Env())
        .enqueue(
            short_job(), {}, [trainer = open_for_job(), found] { *found = trainer->loss_scaler(); },
            [found](Napi::Env env) -> Napi::Value {
              if (!*found) return env.Undefined();
              auto object = Napi::Object::New(env);
              object["scale"] = (*found)->scale;
              object["growthTracker"] = static_cast<double>((*found)->growth_tracker);
              return object;
            });
  });
}

Napi::Value TrainerWrap::set_loss_scaler(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    const Fields fields(info[0], "state", {"scale", "growthTracker"});
    const LossScaler::State state{fields.number("scale"),
                                  to_integer(fields.get("growthTracker"), "state.growthTracker", 0)};
    return Environment::of(info.Env()).enqueue(short_job(), {}, [trainer = open_for_job(), state] {
      trainer->set_loss_scaler(state);
    });
  });
}

Napi::Value TrainerWrap::dispose(const Napi::CallbackInfo& info) {
  return rejecting(info.Env(), [&] {
    // A second call waits for the first, because jobs run in order.
    const bool again = std::exchange(disposed_, true);
    return Environment::of(info.Env()).enqueue(short_job(), {}, [trainer = trainer_, again] {
      if (!again) trainer->dispose();
    });
  });
}

}  // namespace st::binding
