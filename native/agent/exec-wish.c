#include "exec-wish.h"

#include "request.h"

#include <string.h>

static const char *read_arguments(const struct value *request, struct wish *wish) {
  struct value list, item;
  if (request_value(request, "argv", VALUE_ARRAY, &list) != KEY_OK) return "argv is not an array";
  if (list.count > ARGUMENTS_MAX || (list.count == 0 && !wish->login)) return "argv must have 1 to 1024 items";
  if (!strings_init(&wish->arguments, list.count, (size_t)(list.end - list.bytes) + list.count)) return "no memory";
  const uint8_t *at = list.bytes;
  for (size_t i = 0; i < list.count; i++) {
    value_next(&list, &at, &item);
    if (item.kind != VALUE_STR && item.kind != VALUE_BIN) return "argv must have str or bin items";
    if (!strings_add(&wish->arguments, item.bytes, item.count)) return "an item of argv has a NUL";
  }
  return !wish->login && wish->arguments.list[0][0] == 0 ? "argv[0] is empty" : NULL;
}

static const char *read_terminal(const struct value *request, struct wish *wish) {
  struct value terminal;
  enum key found = request_value(request, "pty", VALUE_MAP, &terminal);
  wish->wants_terminal = found == KEY_OK;
  if (found != KEY_OK) return found == KEY_WRONG ? "pty is not a map" : NULL;
  if (request_int(&terminal, "rows", 0, UINT16_MAX, &wish->rows) != KEY_OK ||
      request_int(&terminal, "cols", 0, UINT16_MAX, &wish->columns) != KEY_OK) {
    return "pty must have rows and cols from 0 to 65535";
  }
  return request_text(&terminal, "term", wish->term, sizeof wish->term) == KEY_WRONG ? "pty.term is wrong" : NULL;
}

static const char *read_environment(const struct value *request, struct wish *wish) {
  static const uint8_t term[] = "TERM";
  struct value map;
  enum key found = request_value(request, "env", VALUE_MAP, &map);
  if (found == KEY_WRONG) return "env is not a map";
  wish->variables = found == KEY_OK ? map : (struct value){0};
  if (!strings_init(&wish->environment, VARIABLES_MAX, STRINGS_BYTES_MAX)) return "no memory";
  if (wish->inherit && !environment_defaults(&wish->environment)) return "the environment is too large";
  if (wish->term[0] != 0 && !strings_set(&wish->environment, term, sizeof term - 1, (const uint8_t *)wish->term,
                                         strlen(wish->term))) {
    return "the environment is too large";
  }
  if (found == KEY_OK && !strings_set_all(&wish->environment, &map)) {
    return "env must have names without = and str values without NUL, 1024 at most and 131072 bytes in all";
  }
  if (wish->arguments.used + wish->environment.used > STRINGS_BYTES_MAX) {
    return "arguments and environment are more than 131072 bytes";
  }
  return NULL;
}

static const char *read_limits(const struct value *request, struct wish *wish) {
  struct value map;
  enum key found = request_value(request, "limits", VALUE_MAP, &map);
  if (found == KEY_WRONG) return "limits is not a map";
  return found == KEY_OK ? resource_limits_read(&map, &wish->limits) : NULL;
}

static const char *read_names(const struct value *request, struct wish *wish) {
  if (request_text(request, "user", wish->user, sizeof wish->user) == KEY_WRONG) {
    return "user is not a str without NUL of at most 63 bytes";
  }
  if (request_text(request, "tag", wish->tag, sizeof wish->tag) == KEY_WRONG) {
    return "tag is not a str without NUL of at most 63 bytes";
  }
  if (request_int(request, "ringBytes", 0, EXEC_RING_MOST, &wish->ring_bytes) == KEY_WRONG) {
    return "ringBytes is not an int from 0 to 1048576";
  }
  return NULL;
}

const char *wish_read(const struct value *request, struct wish *wish) {
  *wish = (struct wish){.inherit = true, .ring_bytes = EXEC_RING_USUAL};
  if (request_bool(request, "stdin", &wish->wants_stdin) != KEY_OK) return "stdin is not a bool";
  if (request_bool(request, "detach", &wish->detach) == KEY_WRONG) return "detach is not a bool";
  if (request_bool(request, "inheritEnv", &wish->inherit) == KEY_WRONG) return "inheritEnv is not a bool";
  if (request_path(request, "cwd", wish->cwd, sizeof wish->cwd) == KEY_WRONG) {
    return "cwd is not a str or bin without NUL of at most 4095 bytes";
  }
  if (request_int(request, "timeoutMs", 1, INT64_MAX / 2, &wish->timeout_ms) == KEY_WRONG) {
    return "timeoutMs is not a positive int";
  }
  if (request_bool(request, "login", &wish->login) == KEY_WRONG) return "login is not a bool";
  const char *wrong = read_names(request, wish);
  if (wrong == NULL) wrong = read_limits(request, wish);
  if (wrong == NULL) wrong = read_arguments(request, wish);
  if (wrong == NULL) wrong = read_terminal(request, wish);
  if (wrong == NULL) wrong = read_environment(request, wish);
  return wrong;
}

void wish_free(struct wish *wish) {
  strings_free(&wish->arguments);
  strings_free(&wish->environment);
}
