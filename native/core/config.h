#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace st {

// A JSON-like value. Architectures, modules and losses read their options from it, so adding an option changes no
// other file.
class Config {
 public:
  using Array = std::vector<Config>;
  using Object = std::map<std::string, Config>;

  Config() = default;
  Config(bool value) : value_(value) {}
  Config(double value) : value_(value) {}
  Config(std::string value) : value_(std::move(value)) {}
  Config(Array value) : value_(std::move(value)) {}
  Config(Object value) : value_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool has(const std::string& key) const;  // whether it is present and not null

  // The member `key`. These throw ERR_INVALID_ARGUMENT, naming it, when it is missing or has another type.
  int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;
  bool boolean(const std::string& key) const;
  const std::string& string(const std::string& key) const;
  std::vector<std::string> strings(const std::string& key) const;
  // The same with a default for a missing or null member.
  int64_t integer(const std::string& key, int64_t fallback) const;
  double number(const std::string& key, double fallback) const;
  bool boolean(const std::string& key, bool fallback) const;
  std::string string(const std::string& key, const std::string& fallback) const;

  // The member `key`, of any type.
  const Config& member(const std::string& key) const;
  // The numbers of an array; empty for a missing or null member.
  std::vector<double> numbers(const std::string& key) const;

  const Object& object() const;
  const char* kind() const;   // "a number", for messages
  std::string shown() const;  // the value itself if it is short, else its kind, for messages

  // The value if it has this type, else null.
  const bool* if_boolean() const { return std::get_if<bool>(&value_); }
  const double* if_number() const { return std::get_if<double>(&value_); }
  const std::string* if_string() const { return std::get_if<std::string>(&value_); }
  const Array* if_array() const { return std::get_if<Array>(&value_); }
  const Object* if_object() const { return std::get_if<Object>(&value_); }

 private:
  std::variant<std::monostate, bool, double, std::string, Array, Object> value_;
};

}  // namespace st
