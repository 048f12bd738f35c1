#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "engine/tensors.h"

namespace st::binding {

// The class `Tensors` of lib/native/types.ts. Every job holds the engine too, so the wrapper may be collected at any
// time.
class TensorsWrap : public Napi::ObjectWrap<TensorsWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  // The engine of a JavaScript value. Throws unless the value is a Tensors.
  static std::shared_ptr<TensorSpace> unwrap(Napi::Value value, const std::string& field);

  explicit TensorsWrap(const Napi::CallbackInfo& info);
  ~TensorsWrap() override;

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value backward(const Napi::CallbackInfo& info);
  Napi::Value count(const Napi::CallbackInfo& info);

  std::shared_ptr<TensorSpace> space_;
};

}  // namespace st::binding
