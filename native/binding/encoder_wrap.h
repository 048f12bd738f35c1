#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "binding/job.h"
#include "engine/encoder.h"

namespace st::binding {

// The class `Encoder` of lib/native/types.ts. Every job holds the engine too, so the wrapper may be collected at any
// time.
class EncoderWrap : public Napi::ObjectWrap<EncoderWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  // The engine of a JavaScript value. Throws unless the value is an Encoder in use.
  static std::shared_ptr<Encoder> unwrap(Napi::Value value, const std::string& field);

  explicit EncoderWrap(const Napi::CallbackInfo& info);
  ~EncoderWrap() override;

 private:
  Napi::Value embedding_dimension(const Napi::CallbackInfo& info);
  Napi::Value token_dimension(const Napi::CallbackInfo& info);
  Napi::Value training_bytes(const Napi::CallbackInfo& info);
  Napi::Value tensors(const Napi::CallbackInfo& info);
  Napi::Value graph(const Napi::CallbackInfo& info);
  Napi::Value add_adapter(const Napi::CallbackInfo& info);
  Napi::Value set_adapter(const Napi::CallbackInfo& info);
  Napi::Value delete_adapter(const Napi::CallbackInfo& info);
  Napi::Value merge_adapter(const Napi::CallbackInfo& info);
  Napi::Value adapter_tensors(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value load_file(const Napi::CallbackInfo& info);
  Napi::Value dump(const Napi::CallbackInfo& info);
  Napi::Value initialize(const Napi::CallbackInfo& info);
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value encode_vectors(const Napi::CallbackInfo& info);
  Napi::Value drop(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  // A job that takes the name of an adapter.
  Napi::Value of_adapter(const Napi::CallbackInfo& info, void (Encoder::*job)(const std::string& name));
  JobKind changing() const;
  JobKind reading() const;
  // The engine, unless dispose() was called.
  const std::shared_ptr<Encoder>& open() const;

  std::shared_ptr<Encoder> encoder_;
  int64_t embedding_dimension_ = 0;
  int64_t token_dimension_ = 0;
  int64_t training_bytes_ = 0;
  bool disposed_ = false;
};

}  // namespace st::binding
