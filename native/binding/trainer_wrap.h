#pragma once

#include <napi.h>

#include <memory>

#include "binding/job.h"
#include "engine/trainer.h"

namespace st::binding {

// The class `Trainer` of lib/native/types.ts. Every job holds the engine too, so the wrapper may be collected at any
// time.
class TrainerWrap : public Napi::ObjectWrap<TrainerWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit TrainerWrap(const Napi::CallbackInfo& info);
  ~TrainerWrap() override;

 private:
  Napi::Value tensors(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value dump(const Napi::CallbackInfo& info);
  Napi::Value set_groups(const Napi::CallbackInfo& info);
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value embed(const Napi::CallbackInfo& info);
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value forward(const Napi::CallbackInfo& info);
  Napi::Value bind(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value zero_gradients(const Napi::CallbackInfo& info);
  Napi::Value copy_weights(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value set_counters(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value loss_scaler(const Napi::CallbackInfo& info);
  Napi::Value set_loss_scaler(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  // The engine, unless dispose() was called.
  const std::shared_ptr<Trainer>& open() const;
  // The same for a job. From now on the trainer belongs to the executor thread.
  const std::shared_ptr<Trainer>& open_for_job();

  JobKind short_job() const;
  JobKind long_job() const;  // inside of which queries run

  std::shared_ptr<Trainer> trainer_;
  const void* encoder_ = nullptr;  // that it trains
  bool has_jobs_ = false;          // or had some
  bool disposed_ = false;
};

}  // namespace st::binding
