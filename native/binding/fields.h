#pragma once

#include <napi.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace st::binding {

// The names of an object's own enumerable members.
std::vector<std::string> own_names(Napi::Object object);

// The members of an options object. The constructor refuses anything but an object, and every member outside `known`.
// The readers name a wrong member. An undefined member counts as absent.
class Fields {
 public:
  Fields(Napi::Value value, std::string where, std::initializer_list<const char*> known);

  Napi::Value get(const char* name) const;
  bool has(const char* name) const { return !get(name).IsUndefined(); }
  std::string path(const char* name) const { return where_ + "." + name; }

  std::string string(const char* name) const;
  double number(const char* name) const;  // finite
  bool boolean(const char* name) const;
  double number(const char* name, double fallback) const { return has(name) ? number(name) : fallback; }
  bool boolean(const char* name, bool fallback) const { return has(name) ? boolean(name) : fallback; }

 private:
  Napi::Object object_;
  std::string where_;
};

}  // namespace st::binding
