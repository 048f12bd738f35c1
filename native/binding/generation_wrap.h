#pragma once

#include <napi.h>

#include <memory>

#include "engine/generation/generation.h"

namespace st::binding {

// The class `Generation` of lib/native/types.ts. Every job holds the engine too, so the wrapper may be collected at any
// time.
class GenerationWrap : public Napi::ObjectWrap<GenerationWrap> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit GenerationWrap(const Napi::CallbackInfo& info);
  ~GenerationWrap() override;

 private:
  Napi::Value bytes(const Napi::CallbackInfo& info);
  Napi::Value next(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<Generation> generation_;
  const Encoder* engine_ = nullptr;  // to tell it from others
  double bytes_ = 0;
  bool disposed_ = false;
};

}  // namespace st::binding
