// Prints the fields of the API objects that the sandbox serves, from the Go types of k8s.io/api:
//
//	go run ./fields > ../../../kdeploy/sandbox/api/fields.txt
//
// A line without indentation names a type; each of its fields follows as "name type flags". Flags: "#N", its number in
// protobuf ("#N.M" inside of a message that JSON does not show), "!" where an empty value is shown all the same, and the
// strategic merge patch's own: "merge=KEY", "merge", "replace", "retainKeys".
package main

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var served = []any{
	core.Namespace{}, core.Node{}, core.Pod{}, core.Service{}, core.Endpoints{}, core.Event{}, core.ConfigMap{},
	core.Secret{}, core.ServiceAccount{},
	apps.Deployment{}, apps.ReplicaSet{}, apps.StatefulSet{}, apps.DaemonSet{}, apps.ControllerRevision{},
	autoscaling.Scale{}, meta.DeleteOptions{},
	authorization.SelfSubjectAccessReview{}, authorization.SelfSubjectRulesReview{}, authentication.SelfSubjectReview{},
}

var scalars = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):            "Time",
	reflect.TypeOf(meta.MicroTime{}):       "MicroTime",
	reflect.TypeOf(meta.Duration{}):        "Duration",
	reflect.TypeOf(meta.FieldsV1{}):        "Raw",
	reflect.TypeOf(runtime.RawExtension{}): "Raw",
	reflect.TypeOf(resource.Quantity{}):    "Quantity",
	reflect.TypeOf(intstr.IntOrString{}):   "IntOrString",
	reflect.TypeOf([]byte{}):               "bytes",
}

var described = map[string][]string{}
var types = map[string]reflect.Type{}

func main() {
	for _, one := range served {
		name(reflect.TypeOf(one))
	}
	names := make([]string, 0, len(described))
	for one := range described {
		names = append(names, one)
	}
	sort.Strings(names)
	for _, one := range names {
		fmt.Println(one)
		for _, line := range described[one] {
			fmt.Println(" " + line)
		}
	}
}

func name(of reflect.Type) string {
	if scalar, ok := scalars[of]; ok {
		return scalar
	}
	switch of.Kind() {
	case reflect.Pointer:
		return "*" + name(of.Elem())
	case reflect.Slice:
		return "[]" + name(of.Elem())
	case reflect.Map:
		return "{}" + name(of.Elem())
	case reflect.Struct:
		if known, ok := types[of.Name()]; ok && known != of {
			panic("two types are called " + of.Name())
		}
		types[of.Name()] = of
		if _, ok := described[of.Name()]; !ok {
			described[of.Name()] = nil
			described[of.Name()] = fields(of, "#")
		}
		return of.Name()
	default:
		return of.Kind().String()
	}
}

func fields(of reflect.Type, before string) []string {
	var lines []string
	for i := range of.NumField() {
		field := of.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		number := strings.Split(field.Tag.Get("protobuf")+",,", ",")[1]
		if tag == "" { // embedded; without a number protobuf has it elsewhere
			inside := before + number + "."
			if number == "" {
				inside = ""
			}
			lines = append(lines, fields(field.Type, inside)...)
			continue
		}
		line := tag + " " + name(field.Type)
		if number != "" && before != "" {
			line += " " + before + number
		}
		// encoding/json never takes a struct for empty.
		omitted := strings.Contains(options, "omitempty") && field.Type.Kind() != reflect.Struct
		if !omitted && !strings.Contains(options, "omitzero") {
			line += " !"
		}
		for _, strategy := range strings.Split(field.Tag.Get("patchStrategy"), ",") {
			if strategy == "merge" && field.Tag.Get("patchMergeKey") != "" {
				line += " merge=" + field.Tag.Get("patchMergeKey")
			} else if strategy != "" {
				line += " " + strategy
			}
		}
		lines = append(lines, line)
	}
	return lines
}
