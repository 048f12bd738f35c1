#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "core/collective.h"

namespace st::binding {

// The class `Collective` of lib/native/types.ts. Its jobs and those of a trainer that uses it run on one thread.
class CollectiveWrap : public Napi::ObjectWrap<CollectiveWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  // Throws unless the value is a Collective that has joined the others.
  static std::shared_ptr<Collective> unwrap(Napi::Value value, const std::string& field);

  explicit CollectiveWrap(const Napi::CallbackInfo& info);
  ~CollectiveWrap() override;

 private:
  struct Member {
    CollectiveSpec spec;
    std::shared_ptr<Collective> ranks;  // null until it has joined, and after it has left
  };
  static const std::shared_ptr<Collective>& joined(const Member& member);

  Napi::Value join(const Napi::CallbackInfo& info);
  Napi::Value use_device(const Napi::CallbackInfo& info);
  Napi::Value exchange(const Napi::CallbackInfo& info);
  Napi::Value share(const Napi::CallbackInfo& info);
  Napi::Value gather(const Napi::CallbackInfo& info);
  Napi::Value sum(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);

  std::shared_ptr<Member> member_ = std::make_shared<Member>();
};

}  // namespace st::binding
